import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// The system gives a closed number out again at once: nothing of an old connection may touch the new one (hazards A1
/// and A3).
/// Other tests open and close descriptors at the same time, so each of these has a process of its own.
@Suite(.timeLimit(.minutes(5)))
struct DescriptorReuseTests {
  /// Close the connection and open another one until that has its number.
  private static func replace(_ connection: StreamConnection) async throws -> (StreamPair, others: [StreamPair]) {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    defer { listener.close() }
    let number = connection.descriptor.fileDescriptor
    connection.close()
    var others: [StreamPair] = []
    // The lowest free number is given first, so the pairs fill the gaps below until it is this one's turn.
    for _ in 0..<100 {
      let pair = try await StreamPair.make(on: listener)
      if pair.near.descriptor.fileDescriptor == number { return (pair, others) }
      if pair.far.descriptor.fileDescriptor == number {
        return (StreamPair(near: pair.far, far: pair.near), others)
      }
      others.append(pair)
    }
    throw NothingThrown()
  }

  @Test(
    "A body that closes its connection ends the loop over chunks; a new one keeps its bytes",
    arguments: LoopKind.allCases, [false, true])
  func closeInBody(kind: LoopKind, suspends: Bool) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind, suspends = suspends as Bool] in
      try await Self.closeInBodyAlone(kind: kind, suspends: suspends)
    }
  }

  private static func closeInBodyAlone(kind: LoopKind, suspends: Bool) async throws {
    try await kind.withPair { near, far in
      try await far.write("old")
      try far.writeEOF()
      var fresh: (StreamPair, others: [StreamPair])?
      var chunks = 0
      let error = try await failure(IOError.self) {
        try await near.forEachChunk { _ in
          chunks += 1
          fresh = try await replace(near)
          try await fresh!.0.far.write("new")
          if suspends { try await sleep(for: .milliseconds(1)) }
        }
      }
      #expect(chunks == 1)
      #expect(error.errno == .badFileDescriptor)
      let pair = try #require(fresh).0
      #expect(try await pair.near.readExactly(3) == Array("new".utf8))
      pair.close()
      for other in fresh?.others ?? [] { other.close() }
    }
  }

  @Test("A synchronous body that closes its connection ends the loop over chunks", arguments: LoopKind.allCases)
  func closeInSynchronousBody(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await Self.closeInSynchronousBodyAlone(kind: kind)
    }
  }

  private static func closeInSynchronousBodyAlone(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await far.write("old")
      try far.writeEOF()
      var chunks = 0
      let error = try await failure(IOError.self) {
        try await near.serveChunks { bytes, output in
          chunks += 1
          near.close()
          output.write(bytes)
        }
      }
      #expect(chunks == 1)
      #expect(error.errno == .canceled)
      #expect(try await far.readToEnd() == [])
    }
  }

  // The proactor keeps the number until the system has let go of it, so nobody can take it here.
  @Test(
    "A read that is ready when its connection is closed does not take a new one's bytes",
    arguments: LoopKind.selectors)
  func closeWhenReady(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await Self.closeWhenReadyAlone(kind: kind)
    }
  }

  private static func closeWhenReadyAlone(kind: LoopKind) async throws {
    try await kind.run { loop in
      for form in 0..<4 {
        let pair = try await StreamPair.make()
        let (near, number) = (pair.near, pair.near.descriptor.fileDescriptor)
        let got = Recorder<Int>()
        let reading = try loopTask {
          switch form {
          case 0: try await near.forEachChunk { got.record($0.byteCount) }
          case 1: try await near.serveChunks { bytes, _ in got.record(bytes.byteCount) }
          case 2: got.record(try await near.readExactly(100).count)
          default: got.record(try await near.readToEnd().count)
          }
        }
        try await turnUntil { near.isReading }
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        let (end, other) = (ends[0], ends[1])
        try await pair.far.write("old")
        // The callback stands in the queue before the reader that the next poll wakes.
        try loop.callSoon {
          near.close()
          #expect(dup2(end, number) == number)
          #expect(write(other, "new", 3) == 3)
        }
        _ = await reading.result
        #expect(got.all.allSatisfy { $0 == 3 }, "form \(form) got \(got.all)")
        var bytes: [UInt8] = [0, 0, 0, 0]
        #expect(recv(end, &bytes, 4, Int32(MSG_DONTWAIT)) == 3, "form \(form): the bytes are still there")
        for fd in [end, other, number] { _ = CAsyncIO.close(fd) }
        pair.far.close()
      }
    }
  }

  @Test(
    "hazard A1: ten connections closed and ten opened in one turn: events of the old ones reach nobody",
    arguments: LoopKind.allCases)
  func staleEvents(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await Self.staleEventsAlone(kind: kind)
    }
  }

  private static func staleEventsAlone(kind: LoopKind) async throws {
    try await kind.run { loop in
      var old: [StreamPair] = []
      for _ in 0..<10 { old.append(try await StreamPair.make()) }
      let pairs = old
      let late = Recorder<Int>()
      let first = try loopTask { _ = try await pairs[0].near.read(upTo: 1) }
      let others = try pairs[1...].map { pair in
        try loopTask { late.record(try await pair.near.read(upTo: 1).count) }
      }
      try await turnUntil { pairs.allSatisfy { $0.near.isReading } }
      for pair in pairs { try await pair.far.write("x") }
      for pair in pairs { pair.near.close() }
      var new: [StreamPair] = []
      for _ in 0..<10 { new.append(try await StreamPair.make()) }
      let reused = Set(new.flatMap { [$0.near.descriptor.fileDescriptor, $0.far.descriptor.fileDescriptor] })
      // Not all of them: the runtime's own threads open a descriptor now and then.
      #expect(!reused.isDisjoint(with: pairs.map { $0.near.descriptor.fileDescriptor }))
      let reads = try new.map { pair in try loopTask { try await pair.near.readExactly(1) } }
      for task in others + [first] { _ = await task.result }
      #expect(late.all.isEmpty)
      for pair in new { try await pair.far.write("y") }
      for read in reads { #expect(try await read.value == [UInt8(ascii: "y")]) }
      for pair in new + pairs { pair.close() }
    }
  }
}
