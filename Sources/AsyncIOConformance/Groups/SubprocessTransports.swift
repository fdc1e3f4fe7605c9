internal import AsyncIO
internal import CAsyncIO

extension ConformanceSuite {
  /// Group K, what a protocol object is told of a child process.
  static let subprocessTransportChecks: [ConformanceCheck] = [
    ConformanceCheck(
      130, "A protocol object's child echoes what is written to it", facet: "transport", capabilities: .pipes
    ) { subject in
      let trail = Trail()
      try subject.run { loop in
        let (child, proto) = try await loop.subprocess(.cat) { MarkingProtocol(trail) }
        let input = try subject.unwrap("stdin", child.getPipeTransport(0) as? WritePipeTransport)
        try input.write("hello")
        while !trail.marks.contains("1:hello") { try await sleep(for: .microseconds(200)) }
        input.close()
        try await proto.waitForEnd()
        try subject.expect("return code", child.returnCode, 0)
      }
      try subject.expect("first", Trail(trail.marks.prefix(2)), "made 1:hello")
      try subject.expect("last", trail.marks.last, "lost")
    },
    ConformanceCheck(133, "Whatever the order of exit and pipes, the loss comes last", capabilities: .pipes) {
      subject in
      let trail = Trail()
      try subject.run { loop in
        let script = ChildScript(shell: "echo out; echo err >&2", words: "out:out err:err")
        let (_, proto) = try await loop.subprocess(script) { MarkingProtocol(trail) }
        try await proto.waitForEnd()
        // Nothing comes after it.
        for _ in 0..<3 { try await sleep(for: .zero) }
      }
      try subject.expect("first", trail.marks.first, "made")
      try subject.expect("last", trail.marks.last, "lost")
      try subject.expect(
        "calls", Trail(trail.marks.sorted()), "0:closed 1:closed 1:out 2:closed 2:err exited lost made")
    },
    ConformanceCheck(
      133, "A grandchild that has a pipe delays the loss, not the exit", facet: "grandchild", capabilities: .pipes
    ) { subject in
      let trail = Trail()
      try subject.run { loop in
        let script = ChildScript(
          shell: "exec 3<&0; (read line <&3; echo $line) & exit 0", words: "child:line,say exit:0")
        let (child, proto) = try await loop.subprocess(script, standardError: .null) { MarkingProtocol(trail) }
        while !trail.marks.contains("exited") { try await sleep(for: .microseconds(200)) }
        try subject.expect("lost at the exit", proto.isLost.value, false)
        try (child.getPipeTransport(0) as? WritePipeTransport)?.write("late\n")
        try await proto.waitForEnd()
      }
      try subject.expect("calls", Trail(trail.marks.filter { !$0.hasPrefix("0") }), "made exited 1:late 1:closed lost")
    },
    ConformanceCheck(
      130, "A child that does not read makes its protocol pause, and one that reads lets it go on", facet: "pause",
      capabilities: .pipes
    ) { subject in
      let trail = Trail()
      try subject.run { loop in
        let (child, proto) = try await loop.subprocess(.cat, standardOutput: .null) { PausingProtocol(trail) }
        let input = try subject.unwrap("stdin", child.getPipeTransport(0) as? WritePipeTransport)
        // More than the system and the limit take together, whatever the child has read by now.
        try input.write(numbered(0..<4_000_000))
        try await subject.turn("it goes on") { trail.marks.contains("resume") }
        input.close()
        try await subject.turn("the end") { proto.isLost }
        try subject.expect("return code", child.returnCode, 0)
      }
      try subject.expect("calls", trail, "pause resume lost")
    },
    ConformanceCheck(
      133, "A protocol that does not want its child learns of the exit all the same, and then of the loss by its error",
      facet: "refused", capabilities: .pipes,
      deviation: "CPython reports the error, and the child goes on."
    ) { subject in
      let trail = Trail()
      try subject.run { loop in
        var refused: MarkingProtocol?
        do {
          _ = try await loop.subprocess(.cat) {
            let proto = MarkingProtocol(trail) { throw TaskFailure() }
            refused = proto
            return proto
          }
          try subject.fail("the error of connectionMade was lost")
        } catch is TaskFailure {}
        try await refused?.waitForEnd()
      }
      try subject.expect("reports", subject.takeReports().count { $0.exception is TaskFailure }, 1)
      try subject.expect("calls", Trail(trail.marks.sorted()), "0:closed 1:closed 2:closed exited lost:other made")
      try subject.expect("first", trail.marks.first, "made")
      try subject.expect("last", trail.marks.last, "lost:other")
    },
    ConformanceCheck(137, "Closing the transport kills the child", facet: "transport", capabilities: .pipes) {
      subject in
      let trail = Trail()
      try subject.run { loop in
        let (child, proto) = try await loop.subprocess(.cat) { MarkingProtocol(trail) }
        try subject.expect("running", child.returnCode == nil)
        child.close()
        child.close()
        try await proto.waitForEnd()
        try subject.expect("return code", child.returnCode, killedCode)
        try subject.expect("kill", try child.kill(), false)
      }
      try subject.expect("calls", Trail(trail.marks.sorted()), "0:closed 1:closed 2:closed exited lost made")
      try subject.expect("last", trail.marks.last, "lost")
    },
  ]
}

/// Marks when it is told to pause and to go on. For the loop's thread.
private final class PausingProtocol: SubprocessProtocol {
  private let trail: Trail
  private(set) var isLost = false

  init(_ trail: Trail) { self.trail = trail }

  func pauseWriting() throws { trail.mark("pause") }
  func resumeWriting() throws { trail.mark("resume") }

  func connectionLost(_ error: (any Error)?) throws {
    trail.mark("lost")
    isLost = true
  }
}

extension Trail {
  /// Copy the marks of another trail.
  fileprivate convenience init(_ marks: some Sequence<String>) {
    self.init()
    for mark in marks { self.mark(mark) }
  }
}
