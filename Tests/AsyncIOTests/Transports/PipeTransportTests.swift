import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

@Suite("Transports of pipes", .timeLimit(.minutes(5)))
struct PipeTransportTests {
  /// Records its calls.
  private final class Listener: StreamProtocol {
    var events: [String] = []
    var received: [UInt8] = []
    var lost: (any Error)?
    var onData: () throws -> Void = {}
    var onEnd: () throws -> Bool = { false }

    func connectionMade(_ transport: BaseTransport) throws { events.append("made") }
    func pauseWriting() throws { events.append("pause") }
    func resumeWriting() throws { events.append("resume") }

    func dataReceived(_ bytes: RawSpan) throws {
      bytes.withUnsafeBytes { received.append(contentsOf: $0) }
      try onData()
    }

    func eofReceived() throws -> Bool {
      events.append("end")
      return try onEnd()
    }

    func connectionLost(_ error: (any Error)?) throws {
      events.append("lost")
      lost = error
    }

    var isLost: Bool { events.last == "lost" }
  }

  private struct Failure: Error {}

  @Test("A megabyte from transport to transport, with the writer asked to pause", arguments: LoopKind.allCases)
  func bulk(kind: LoopKind) async throws {
    try await kind.run { loop in
      let ends = try makePipe()
      let (writer, writing) = try await loop.connectWritePipe(ends.write) { Listener() }
      let (reader, reading) = try await loop.connectReadPipe(ends.read) { Listener() }
      #expect(writer.getExtraInfo(.pipe) == ends.write)
      reader.pauseReading()
      #expect(!reader.isReading)
      try writer.write(numbered(0..<1 << 20))
      #expect(writing.events == ["made", "pause"])
      #expect(writer.writeBufferSize > 900_000)
      for _ in 0..<3 { try await sleep(for: .zero) }
      #expect(reading.received.isEmpty, "nothing is delivered while it is paused")
      reader.resumeReading()
      try writer.writeLines([[1], [2, 3]])
      try writer.writeEOF()
      try writer.writeEOF()
      #expect(writer.isClosing && !writing.isLost, "it is flushed first")
      try await turnUntil { reading.isLost && writing.isLost }
      #expect(reading.received == numbered(0..<1 << 20) + [1, 2, 3])
      #expect(reading.events == ["made", "end", "lost"])
      #expect(writing.events == ["made", "pause", "resume", "lost"])
      #expect(reading.lost == nil && writing.lost == nil)
      expectRefusal(.invalidState) { try writer.write("late") }
    }
  }

  @Test("A writer may go on as soon as little enough waits, not only when nothing does", arguments: LoopKind.allCases)
  func resumed(kind: LoopKind) async throws {
    try await kind.run { loop in
      let ends = try makePipe()
      try #require(fcntl(ends.read, F_SETFL, O_NONBLOCK) == 0)
      let (writer, writing) = try await loop.connectWritePipe(ends.write) { Listener() }
      try writer.setWriteBufferLimits(high: 200_000, low: 100_000)
      try writer.write(numbered(0..<400_000))
      #expect(writing.events == ["made", "pause"])
      // The reader takes what leaves 90,000 bytes: the pipe is full again, and that many wait here.
      let room = 400_000 - writer.writeBufferSize
      var left = 310_000 - room
      var buffer = [UInt8](repeating: 0, count: 400_000)
      while left > 0 {
        let n = CAsyncIO.read(ends.read, &buffer, left)
        if n > 0 { left -= n } else { try await sleep(for: .zero) }
      }
      try await turnUntil { writing.events.last == "resume" }
      #expect(writer.writeBufferSize > 0)
      writer.abort()
      try await turnUntil { writing.isLost }
      _ = CAsyncIO.close(ends.read)
    }
  }

  @Test("An error of a protocol closes its pipe, and is reported", arguments: LoopKind.allCases)
  func errors(kind: LoopKind) async throws {
    try await kind.run { loop in
      let reports = Reports(of: loop)
      for event in ["data", "end"] {
        let ends = try makePipe()
        let (reader, proto) = try await loop.connectReadPipe(ends.read) { Listener() }
        if event == "data" { proto.onData = { throw Failure() } } else { proto.onEnd = { throw Failure() } }
        #expect(CAsyncIO.write(ends.write, "x", 1) == 1)
        _ = CAsyncIO.close(ends.write)
        try await turnUntil { proto.isLost }
        #expect(proto.lost is Failure)
        #expect(reader.end.isClosed)
      }
      #expect(reports.all.count == 2)
    }
  }

  @Test(
    "Aborting drops what waits; a factory's error and a refusal leave the pipe to the caller",
    arguments: LoopKind.allCases)
  func ending(kind: LoopKind) async throws {
    try await kind.run { loop in
      let ends = try makePipe()
      _ = try await failure(Failure.self) {
        _ = try await loop.connectReadPipe(ends.read) { () throws -> Listener in throw Failure() }
      }
      let wrong = try await failure(EventLoopError.self) {
        _ = try await loop.connectWritePipe(ends.read) { Listener() }
      }
      #expect(wrong.code == .invalidArgument)
      #expect(fcntl(ends.read, F_GETFD) >= 0)
      let (writer, proto) = try await loop.connectWritePipe(ends.write) { Listener() }
      expectRefusal(.invalidArgument) { try writer.setWriteBufferLimits(high: 1, low: 2) }
      try writer.setWriteBufferLimits(high: 0)
      #expect(writer.writeBufferLimits.low == 0)
      try writer.write(numbered(0..<1 << 20))
      writer.abort()
      #expect(writer.writeBufferSize == 0)
      try await turnUntil { proto.isLost }
      #expect(proto.lost == nil)
      #expect(writer.end.isClosed)
      _ = CAsyncIO.close(ends.read)
    }
  }

  @Test("A loop that is closed ends its pipes without a call", arguments: LoopKind.allCases)
  func closedLoop(kind: LoopKind) async throws {
    let events = Recorder<String>()
    final class Quiet: StreamProtocol {
      let events: Recorder<String>
      init(_ events: Recorder<String>) { self.events = events }
      func dataReceived(_ bytes: RawSpan) throws { events.record("data") }
      func connectionLost(_ error: (any Error)?) throws { events.record("lost") }
    }
    let loop = try kind.makeLoop()
    let ends = try await loop.run {
      let (ends, others) = (try makePipe(), try makePipe())
      _ = try await loop.connectReadPipe(ends.read) { Quiet(events) }
      let (writer, _) = try await loop.connectWritePipe(others.write) { Quiet(events) }
      try writer.write(numbered(0..<1 << 20))
      return (ends, others)
    }
    try loop.close()
    #expect(events.all.isEmpty)
    #expect(CAsyncIO.write(ends.0.write, "x", 1) == -1, "the reading end is closed")
    _ = CAsyncIO.close(ends.0.write)
    _ = CAsyncIO.close(ends.1.read)
  }
}
