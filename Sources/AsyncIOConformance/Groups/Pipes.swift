internal import AsyncIO
internal import CAsyncIO
internal import CConformance
internal import SystemPackage

extension ConformanceSuite {
  /// Group I, pipes.
  static let pipeChecks: [ConformanceCheck] = [
    ConformanceCheck(118, "A read pipe brings data, its end, and the loss", capabilities: .pipes) { subject in
      let (ends, trail) = (try subject.pipe(), Trail())
      try subject.run { loop in
        let (transport, proto) = try await loop.connectReadPipe(ends.release(ends.read)) { MarkingProtocol(trail) }
        _ = casyncio_write(ends.write, "one", 3)
        while trail.count < 2 { try await sleep(for: .microseconds(200)) }
        _ = casyncio_write(ends.write, "two", 3)
        ends.close(ends.write)
        try await proto.waitForEnd()
        try subject.expect("closing", transport.isClosing)
      }
      try subject.expect("calls", trail, "made one two eof lost")
    },
    ConformanceCheck(
      118, "A loop that waits for sockets only refuses pipes and children, and names the one that has them",
      facet: "sockets"
    ) { subject in
      let ends = try subject.pipe()
      try subject.run { loop in
        guard let core = loop as? BaseEventLoop, !core.capabilities.contains(.pipes) else {
          try subject.notOffered("this loop has pipes")
        }
        func refuse(_ name: String, _ body: () async throws -> Void) async throws {
          do {
            try await body()
            try subject.fail("\(name) was not refused")
          } catch let error as EventLoopError {
            try subject.expect(name, error.code, .notOffered)
            try subject.require("\(error)".contains("ProactorEventLoop"), "the error names no other loop: \(error)")
          }
        }
        let script = ChildScript.nothing
        try await refuse("read") { _ = try await loop.connectReadPipe(ends.read) { MarkingProtocol(Trail()) } }
        try await refuse("write") { _ = try await loop.connectWritePipe(ends.write) { MarkingProtocol(Trail()) } }
        try await refuse("reader") { _ = try PipeReader(owning: ends.read) }
        try await refuse("child") { _ = try await script.spawn() }
        try await refuse("protocol") { _ = try await loop.subprocess(script) { MarkingProtocol(Trail()) } }
        try subject.expect("the ends are the caller's", isOpen(ends.read) && isOpen(ends.write))
      }
    },
    ConformanceCheck(
      118, "An error of dataReceived is reported, and the pipe is closed", facet: "error", capabilities: .pipes,
      deviation: "CPython reports it and goes on reading, other than with a socket."
    ) { subject in
      struct Unreadable: Error {}
      let ends = try subject.pipe()
      try subject.run { loop in
        let (transport, probe) = try await loop.connectReadPipe(ends.release(ends.read)) {
          StreamProbe { $0.onData = { _ in throw Unreadable() } }
        }
        _ = casyncio_write(ends.write, "one", 3)
        try await subject.turn("data") { !probe.received.isEmpty }
        for _ in 0..<3 { try await sleep(for: .zero) }
        try subject.expect("closing", transport.isClosing)
        try subject.expect("reports", subject.takeReports().count, 1)
        try subject.expect("the reason", probe.lost is Unreadable)
      }
    },
    ConformanceCheck(
      119, "A write pipe is lost when its reader closes, without a write", facet: "idle", capabilities: .pipes
    ) { subject in
      let (ends, trail) = (try subject.pipe(), Trail())
      try subject.run { loop in
        let (transport, proto) = try await loop.connectWritePipe(ends.release(ends.write)) { MarkingProtocol(trail) }
        try transport.write("word")
        var bytes = [UInt8](repeating: 0, count: 10)
        try subject.expect("read", casyncio_read(ends.read, &bytes, 10), 4)
        ends.close(ends.read)
        try await proto.waitForEnd()
      }
      try subject.expect("calls", trail, "made lost")
    },
    ConformanceCheck(
      119, "A write pipe whose reader closes while bytes wait is lost with a broken pipe", facet: "pending",
      capabilities: .pipes
    ) { subject in
      let (ends, trail) = (try subject.pipe(), Trail())
      try subject.run { loop in
        let (transport, proto) = try await loop.connectWritePipe(ends.release(ends.write)) { MarkingProtocol(trail) }
        try transport.write([UInt8](repeating: 1, count: 1 << 20))
        try subject.expect("bytes wait", transport.writeBufferSize > 0)
        try await sleep(for: .zero)
        ends.close(ends.read)
        try await proto.waitForEnd()
      }
      try subject.expect("calls", trail, "made lost:brokenPipe")
    },
    ConformanceCheck(120, "Pausing and resuming a closed pipe does nothing", capabilities: .pipes) { subject in
      let (ends, trail) = (try subject.pipe(), Trail())
      try subject.run { loop in
        let (transport, proto) = try await loop.connectReadPipe(ends.release(ends.read)) { MarkingProtocol(trail) }
        _ = casyncio_write(ends.write, "x", 1)
        transport.close()
        transport.pauseReading()
        transport.resumeReading()
        try await proto.waitForEnd()
        transport.pauseReading()
        transport.resumeReading()
        try subject.expect("reading", transport.isReading, false)
      }
      try subject.expect("calls", trail, "made lost")
    },
    ConformanceCheck(121, "A regular file is not a pipe", capabilities: .pipes) { subject in
      try subject.run { loop in
        let regular = try TemporaryFile([])
        let file = regular.number
        func refusal(_ body: () async throws -> Void) async throws -> String {
          do { try await body() } catch let error as EventLoopError { return "\(error.code)" }
          return "none"
        }
        let reading = try await refusal { _ = try await loop.connectReadPipe(file) { MarkingProtocol(Trail()) } }
        let writing = try await refusal { _ = try await loop.connectWritePipe(file) { MarkingProtocol(Trail()) } }
        try subject.expect("read", reading, "invalidArgument")
        try subject.expect("write", writing, "invalidArgument")
        try withExtendedLifetime(regular) { try subject.expect("the file is the caller's", isOpen(file)) }
      }
    },
    ConformanceCheck(
      122, "A terminal: both ways, and a hang-up that is a quiet end", capabilities: .pipes,
      deviation: "CPython has no end of the stream then, but loses the pipe by an OSError that it does not log."
    ) { subject in
      let (screen, line) = try openTerminal(subject)
      let trail = Trail()
      try subject.run { loop in
        let copy = try FileDescriptor(rawValue: screen).duplicate().rawValue
        _ = casyncio_set_close_on_exec(copy)
        let (_, proto) = try await loop.connectReadPipe(screen) { MarkingProtocol(trail) }
        let (keyboard, other) = try await loop.connectWritePipe(copy) { MarkingProtocol(Trail()) }
        _ = casyncio_write(line, "shown", 5)
        while trail.count < 2 { try await sleep(for: .microseconds(200)) }
        try keyboard.write("typed\n")
        var bytes = [UInt8](repeating: 0, count: 20)
        try subject.expect("line", casyncio_read(line, &bytes, 20), 6)
        _ = casyncio_close(line)
        try await proto.waitForEnd()
        keyboard.close()
        try await other.waitForEnd()
      }
      try subject.expect("calls", trail, "made shown eof lost")
    },
  ]

  /// Open both sides of a pseudo-terminal, which does not echo.
  private static func openTerminal(_ subject: ConformanceSubject) throws -> (screen: Int32, line: Int32) {
    var (screen, line): (Int32, Int32) = (-1, -1)
    guard cconformance_open_terminal(&screen, &line) == 0 else {
      try subject.notOffered("the system gives out no pseudo-terminal")
    }
    return (screen, line)
  }
}
