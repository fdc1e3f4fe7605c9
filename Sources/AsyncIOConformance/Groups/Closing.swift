internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group B, what a closed loop does and what a close leaves.
  static let closingChecks: [ConformanceCheck] = [
    ConformanceCheck(26, "A closed loop refuses to schedule, to register and to run") { subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      let future: Future<Int> = loop.createFuture()
      try loop.close()
      try subject.expectRefusal("callSoon", .closed) { try loop.callSoon {} }
      try subject.expectRefusal("callSoonThreadsafe", .closed) { try loop.callSoonThreadsafe {} }
      try subject.expectRefusal("callLater", .closed) { try loop.callLater(.zero) {} }
      try subject.expectRefusal("callAt", .closed) { try loop.callAt(loop.time()) {} }
      try subject.expectRefusal("createTask", .closed) { try loop.createTask {} }
      try subject.expectRefusal("runForever", .closed) { try loop.runForever() }
      try subject.expectRefusal("runUntilComplete", .closed) { try loop.runUntilComplete(future) }
      try subject.expectRefusal("runInExecutor", .closed) { try loop.runInExecutor { 1 } }
      try subject.expectRefusal("addReader", .closed) { try loop.addReader(pair.near) {} }
      try subject.expectRefusal("addWriter", .closed) { try loop.addWriter(pair.near) {} }
      try subject.expectRefusal("addSignalHandler", .closed) { try loop.addSignalHandler(30) {} }
    },
    ConformanceCheck(26, "On a closed loop removals answer false and the rest works", facet: "works") { subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      try loop.close()
      try subject.expect("removeReader", try loop.removeReader(pair.near), false)
      try subject.expect("removeWriter", try loop.removeWriter(pair.near), false)
      try subject.expect("removeSignalHandler", loop.removeSignalHandler(30), false)
      let before = loop.time()
      try subject.expect("time goes on", before <= loop.time())
      loop.stop()
      try subject.expect("running", loop.isRunning, false)
      let future: Future<Int> = loop.createFuture()
      try future.setResult(1)
      try subject.expect("future", try future.result(), 1)
      loop.callExceptionHandler(ExceptionContext(message: "heard"))
      try subject.expect("report", subject.takeReports().map(\.message), ["heard"])
    },
    ConformanceCheck(
      27, "close drops what is pending and releases what it captured", capabilities: .descriptorWatches
    ) { subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      let trail = Trail()
      weak var canary: Canary?
      do {
        let captured = Canary()
        canary = captured
        try loop.callSoon { [captured] in
          loop.stop()
          try loop.callSoon { trail.mark("soon \(captured)") }
          try loop.callLater(.seconds(3600)) { trail.mark("timer \(captured)") }
          try loop.addReader(pair.near) { trail.mark("reader \(captured)") }
        }
        try loop.callLater(.seconds(3600)) { trail.mark("early timer \(captured)") }
        try loop.runForever()
        try loop.callSoonThreadsafe { trail.mark("threadsafe \(captured)") }
        try loop.callAt(loop.time()) { trail.mark("due timer \(captured)") }
      }
      try subject.expect("captured before", canary != nil)
      pair.write(to: pair.far)
      try loop.close()
      try subject.expect("captured after", canary != nil, false)
      try subject.expect("ran", trail, "nothing")
    },
    ConformanceCheck(
      30, "A loop that is dropped without close says so, and its descriptors are closed",
      surroundings: .ownProcess
    ) { subject in
      CapturedLog.start()
      // The first one makes what the process keeps for ever.
      try subject.factory().close()
      let before = Process.descriptorCount
      do { try subject.factory().callSoon {} }
      let lines = CapturedLog.lines
      try subject.expect("warnings", lines.count { $0.hasPrefix("warning") }, 1)
      try subject.require(lines.contains { $0.contains("close()") }, "the log says \(lines)")
      try subject.expect("descriptors left", Process.descriptorCount == before)
    },
    ConformanceCheck(
      31, "5,000 loops made, run and closed leave no descriptor and no thread", surroundings: .ownProcess
    ) {
      subject in
      func useLoop() throws {
        let loop = try subject.factory()
        try loop.callSoon { loop.stop() }
        try loop.runForever()
        try loop.close()
      }
      for _ in 0..<10 { try useLoop() }
      let (descriptors, threads) = (Process.descriptorCount, Process.threadCount)
      for _ in 0..<5_000 { try useLoop() }
      try subject.expect("more descriptors", (Process.descriptorCount ?? 0) > (descriptors ?? 0), false)
      try subject.expect("more threads", (Process.threadCount ?? 0) > (threads ?? 0), false)
    },
    ConformanceCheck(
      31, "A loop's own files are never standard input, output or error", facet: "standard",
      surroundings: .ownProcess, deviation: "CPython's loops have them when they are free."
    ) { subject in
      guard Process.hasLowestNumbers else { try subject.notOffered("no handle of this system has such a number") }
      let saved = try (0..<Int32(3)).map { try FileDescriptor(rawValue: $0).duplicate() }
      for number in 0..<Int32(3) { try FileDescriptor(rawValue: number).close() }
      let taken = Result {
        let loop = try subject.makeLoop()
        try loop.callSoonThreadsafe { loop.stop() }
        try loop.runForever()
        try loop.run { try await toThread {} }
        // A number without a file cannot be duplicated.
        return (0..<Int32(3)).filter { (try? FileDescriptor(rawValue: $0).duplicate().close()) != nil }
      }
      for (number, file) in zip(0..<Int32(3), saved) {
        _ = try file.duplicate(as: FileDescriptor(rawValue: number))
        try file.close()
      }
      try subject.expect("taken", taken.get(), [])
    },
  ]
}
