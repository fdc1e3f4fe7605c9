import CAsyncIO
import Testing

@testable import AsyncIO

/// What comes in while nobody waits, while others hold the memory for it, and where the kernel cannot do all it might:
/// no byte is lost, nobody starves, nothing spins (hazard D4, invariants I9 and I11).
@Suite(.enabled(if: LoopKind.hasProactor, "io_uring is not available"), .timeLimit(.minutes(5)))
struct ProactorReceivingTests {
  /// Lent memory and queues that are too small for everybody, and kernels that lack something.
  enum Port: String, Codable, CaseIterable, CustomTestStringConvertible {
    case ordinary, withoutLent, withoutSharedBuffers, withoutMultishotAccept, withoutDeferredWork, narrow

    var testDescription: String { rawValue }

    var options: casyncio_port_options {
      switch self {
      case .ordinary: casyncio_port_options()
      case .withoutLent: .without(CASYNCIO_PORT_LENT)
      case .withoutSharedBuffers: .without(CASYNCIO_PORT_SHARED_BUFFERS)
      case .withoutMultishotAccept: .without(CASYNCIO_PORT_MULTISHOT_ACCEPT)
      case .withoutDeferredWork: .without(CASYNCIO_PORT_DEFERRED_WORK)
      case .narrow: .narrow
      }
    }

    /// The same with memory for four chunks of 512 bytes.
    var scarce: casyncio_port_options {
      var options = options
      options.lent_count = 4
      options.lent_size = 512
      return options
    }
  }

  /// Run the body on a loop over a port with these options, and expect that all leases have come back.
  private static func run<R: Sendable>(
    _ options: casyncio_port_options, _ body: @escaping @Sendable (ProactorBackend) async throws -> R
  ) async throws -> R {
    let backend = try ProactorBackend(options: options)
    let loop = ProactorEventLoop(proactor: backend)
    defer { try? loop.close() }
    let result = try await loop.run { try await body(backend) }
    #expect(casyncio_lent_leases(backend.lent) == 0)
    #expect(casyncio_lent_is_sound(backend.lent) != 0)
    return result
  }

  @Test("hazard D4: 64 connections hold their chunks of memory for four: each is served", arguments: Port.allCases)
  func crowd(port: Port) async {
    await #expect(processExitsWith: .success) { [port = port as Port] in
      try await Self.serveCrowd(port)
      try await expectNoLeaks { try await Self.serveCrowd(port) }
    }
  }

  private static func serveCrowd(_ port: Port) async throws {
    let (count, size) = (64, 5000)
    try await run(port.scarce) { backend in
      let loop = try #require(try getRunningLoop() as? BaseEventLoop)
      let holding = Counter()
      let everybodyHolds = loop.createFuture(of: Void.self)
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask {
        try await listener.serve { connection in
          var isFirst = true
          try await connection.forEachChunk { chunk in
            if isFirst { holding.add(1) }
            if isFirst { try await everybodyHolds.get() }
            isFirst = false
            try await connection.write(chunk)
          }
        }
      }
      let clients = try (0..<count).map { number in
        try loopTask {
          let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
          defer { client.close() }
          try await client.write(numbered(number..<number + size))
          return try await client.readExactly(size) == numbered(number..<number + size)
        }
      }
      try await turnUntil { holding.value == count }
      // All have bytes left to read, and none can go on: now a loop that spins shows.
      let turns = loop.turns
      for _ in 0..<20 { try await sleep(for: .milliseconds(1)) }
      #expect(loop.turns - turns < 100)
      try everybodyHolds.setResult(())
      for client in clients { #expect(try await client.value) }
      #expect(loop.turns - turns < UInt64(count * size / 10), "more turns than chunks")
      listener.close()
      try await serving.value
    }
  }

  @Test("Every form of reading, one after the other on one connection", arguments: Port.allCases, [false, true])
  func mixing(port: Port, isScarce: Bool) async throws {
    try await Self.run(isScarce ? port.scarce : port.options) { _ in
      let pair = try await StreamPair.make()
      let total = 1_000_000
      let sending = try loopTask {
        var random = SplitMix(seed: 7)
        var sent = 0
        while sent < total {
          let count = min(total - sent, 1 + Int(random.next() % (random.next() % 8 == 0 ? 60_000 : 700)))
          try await pair.far.write(numbered(sent..<sent + count))
          sent += count
          if random.next() % 2 == 0 { await Task.yield() }
        }
        try pair.far.writeEOF()
      }
      var random = SplitMix(seed: 8)
      var got = 0
      while got < total {
        let bytes = try await Self.read(pair.near, &random, atMost: total - got)
        let isRight = bytes == numbered(got..<got + bytes.count)
        try #require(isRight, "at \(got)")
        got += bytes.count
      }
      #expect(try await pair.near.read(upTo: 1) == [])
      try await sending.value
      pair.close()
    }
  }

  private struct Enough: Error {}

  /// Read a piece in one of the forms.
  private static func read(
    _ connection: StreamConnection, _ random: inout SplitMix, atMost limit: Int
  ) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    switch random.next() % 5 {
    case 0:
      // Some chunks, until the body has enough.
      var count = random.next() % 4
      do {
        try await connection.forEachChunk { chunk in
          bytes += chunk.withUnsafeBytes { Array($0) }
          if count == 0 { throw Enough() }
          count -= 1
        }
      } catch is Enough {}
      return bytes
    case 1:
      do {
        try await connection.serveChunks { chunk, _ in
          bytes += chunk.withUnsafeBytes { Array($0) }
          throw Enough()
        }
      } catch is Enough {}
      return bytes
    case 2: return try await connection.readExactly(min(limit, 1 + Int(random.next() % 3000)))
    case 3:
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 + Int(random.next() % 2000), alignment: 16)
      defer { memory.deallocate() }
      var span = memory.mutableBytes
      let n = try await connection.read(into: &span)
      return Array(memory[..<n])
    default: return try await connection.withNextChunk { $0.withUnsafeBytes { Array($0) } } ?? []
    }
  }

  @Test("A reader that is busy makes its peer wait, and then loses nothing", arguments: Port.allCases, [false, true])
  func paused(port: Port, isScarce: Bool) async throws {
    try await Self.run(isScarce ? port.scarce : port.options) { backend in
      let pair = try await StreamPair.make()
      let total = 16 << 20
      let loop = try #require(try getRunningLoop() as? BaseEventLoop)
      let goOn = loop.createFuture(of: Void.self)
      let isHolding = Flag()
      let reading = try loopTask {
        var got = 0
        try await pair.near.forEachChunk { chunk in
          let isRight = chunk.withUnsafeBytes { RacingBytes.areRight($0.baseAddress!, $0.count, at: got) }
          #expect(isRight, "at \(got)")
          got += chunk.byteCount
          guard !isHolding.isSet else { return }
          isHolding.set()
          try await goOn.get()
        }
        return got
      }
      let writing = try loopTask {
        try await pair.far.write(numbered(0..<total))
        try pair.far.writeEOF()
      }
      try await turnUntil { isHolding.isSet && pair.far.isWriting }
      // What the queue may hold and the system had ready when it was full.
      let stream = try #require(pair.near.descriptor.stream)
      for _ in 0..<50 { try await sleep(for: .microseconds(200)) }
      #expect(stream.pointee.chunks.byteCount < 4 << 20)
      #expect(!stream.pointee.isReceiving || stream.pointee.chunks.byteCount < 256 * 1024, "it is paused, or not full")
      #expect(pair.far.isWriting)
      try goOn.setResult(())
      #expect(try await reading.value == total)
      try await writing.value
      pair.close()
    }
  }

  @Test("Bytes and connections that nobody takes go with their descriptors", arguments: Port.allCases)
  func leftovers(port: Port) async {
    await #expect(processExitsWith: .success) { [port = port as Port] in
      try await Self.leaveInput(port)
      try await expectNoLeaks { for _ in 0..<10 { try await Self.leaveInput(port) } }
    }
  }

  private static func leaveInput(_ port: Port) async throws {
    try await run(port.options) { backend in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let pair = try await StreamPair.make(on: listener)
      // The lent receive stays with the system behind the first chunk.
      try await pair.far.write("first")
      do { try await pair.near.forEachChunk { _ in throw Enough() } } catch is Enough {}
      try await pair.far.write("second")
      let another = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      for _ in 0..<5 { try await sleep(for: .zero) }
      pair.close()
      another.close()
      listener.close()
      try await turnUntil { casyncio_lent_leases(backend.lent) == 0 }
    }
  }
}
