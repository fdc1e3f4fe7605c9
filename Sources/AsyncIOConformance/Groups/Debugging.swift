internal import AsyncIO

extension ConformanceSuite {
  /// Group O, errors that no caller can be given, and debug mode.
  static let debugChecks: [ConformanceCheck] = [
    ConformanceCheck(176, "A custom exception handler gets the loop and the context") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      loop.exceptionHandler = { [unowned loop] reporting, context in
        trail.mark(reporting === loop)
        trail.mark(context.exception is Failure)
      }
      try loop.callSoon { throw Failure() }
      try loop.run(turns: 2)
      try subject.expect("loop and error", trail, "true true")
    },
    ConformanceCheck(
      176, "The default handler logs the error of a handler that throws, with the first one inside", facet: "throws",
      surroundings: .ownProcess
    ) { subject in
      CapturedLog.start()
      let loop = try subject.makeLoop()
      loop.exceptionHandler = { _, _ in throw HandlerFailure() }
      try loop.callSoon { throw Failure() }
      try loop.run(turns: 2)
      let lines = CapturedLog.lines
      try subject.expect("errors logged", lines.count { $0.hasPrefix("error") }, 1)
      let line = lines.joined()
      try subject.expect("names the handler's error", line.contains("HandlerFailure"))
      try subject.expect("names the first error", line.contains("the first failure"))
    },
    ConformanceCheck(176, "Without a handler an error is logged", facet: "default", surroundings: .ownProcess) {
      subject in
      CapturedLog.start()
      let loop = try subject.makeLoop()
      loop.exceptionHandler = nil
      try loop.callSoon { throw Failure() }
      try loop.run(turns: 2)
      try subject.expect("errors logged", CapturedLog.lines.count { $0.hasPrefix("error") }, 1)
      try subject.expect("names the error", CapturedLog.lines.joined().contains("the first failure"))
    },
    ConformanceCheck(177, "A callback's report names its handle, and in debug mode where it was made") { subject in
      let loop = try subject.makeLoop()
      try loop.callSoon { throw Failure() }
      try loop.run(turns: 2)
      let plain = try subject.unwrap("report", subject.takeReports().first)
      try subject.expect("handle", plain.handle != nil)
      try subject.expect("source", plain.source != nil, false)
      loop.isDebug = true
      let line: UInt = #line + 1
      let handle = try loop.callSoon { throw Failure() }
      try loop.run(turns: 2)
      let report = try subject.unwrap("report in debug mode", subject.takeReports().first)
      try subject.expect("its own handle in debug mode", report.handle === handle)
      try subject.expect("its own line in debug mode", report.source?.line == line)
    },
    ConformanceCheck(177, "The report of an error that nobody looked at names the future", facet: "future") { subject in
      let loop = try subject.makeLoop()
      do {
        let future: Future<Int> = loop.createFuture()
        try future.setException(Failure())
      }
      let report = try subject.unwrap("report", subject.takeReports().first)
      try subject.expect("error", report.exception is Failure)
      try subject.expect("future", report.future != nil)
      try subject.expect("handle", report.handle != nil, false)
    },
    ConformanceCheck(177, "The report of a task names the task", facet: "task") { subject in
      let loop = try subject.makeLoop()
      do {
        let task = try loop.createTask(name: "mine") { throw Failure() }
        // It ends here, and its error is not retrieved.
        try loop.run { while !task.isDone { try await sleep(for: .zero) } }
      }
      // The last references go with the steps of the task.
      var reports = subject.takeReports()
      for _ in 0..<1000 where reports.isEmpty {
        try loop.run(turns: 1)
        reports = subject.takeReports()
      }
      let report = try subject.unwrap("report", reports.first)
      try subject.expect("error", report.exception is Failure)
      try subject.expect("task", report.task ?? "none", "mine")
    },
    ConformanceCheck(
      177, "The report of a server's handler names the socket", facet: "socket", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        async let served: Void = listener.serve { _ in throw Failure() }
        let connection = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        // The server closes the connection when its handler has thrown.
        _ = try? await connection.readExactly(1)
        connection.close()
        listener.close()
        try await served
      }
      let report = try subject.unwrap("report", subject.takeReports().first)
      try subject.expect("error", report.exception is Failure)
      try subject.expect("socket", report.socket != nil)
    },
    ConformanceCheck(
      178, "In debug mode a callback that takes the limit or more is logged", capabilities: .systemClock,
      surroundings: .ownProcess
    ) { subject in
      CapturedLog.start()
      let loop = try subject.makeLoop()
      loop.slowCallbackDuration = .milliseconds(20)
      func slowLines(_ milliseconds: Int) throws -> Int {
        let before = CapturedLog.lines.count
        try loop.callSoon { Process.block(milliseconds: milliseconds) }
        try loop.run(turns: 2)
        // A loop may besides say of a callback that it has not ended yet.
        return CapturedLog.lines.dropFirst(before).count { $0.hasPrefix("warning") && !$0.contains("goes on") }
      }
      try subject.expect("not without debug mode", try slowLines(25), 0)
      loop.isDebug = true
      try subject.expect("at the limit and above", try slowLines(20), 1)
      loop.slowCallbackDuration = .seconds(3600)
      try subject.expect("below", try slowLines(1), 0)
    },
    ConformanceCheck(179, "Debug mode can be changed while the loop runs") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      @Sendable func schedule() {
        // From another thread, which is what debug mode checks.
        trail.mark(
          CheckThread { () -> String in
            do { try loop.callSoon {} } catch { return "refused" }
            return "accepted"
          }.join())
      }
      try loop.callSoon {
        loop.isDebug = false
        schedule()
        loop.isDebug = true
        schedule()
        loop.isDebug = false
        schedule()
        loop.stop()
      }
      try loop.runForever()
      try subject.expect("off, on, off", trail, "accepted refused accepted")
    },
    ConformanceCheck(180, "The call graph of nested waits shows the chain") { subject in
      try subject.run { loop in
        let future: Future<Int> = loop.createFuture()
        let inner = try loop.createTask(name: "inner") { try await future.get() }
        let middle = try loop.createTask(name: "middle") { try await gather([inner])[0] }
        let outer = try loop.createTask(name: "outer") { try await middle.get() }
        for _ in 0..<3 { try await sleep(for: .zero) }
        var chain: [String] = []
        var entry: FutureCallGraph? = captureCallGraph(future)
        while let next = entry {
          chain.append(next.name)
          entry = next.awaitedBy.first
        }
        try subject.expect("chain", chain.dropFirst().joined(separator: " "), "inner middle outer")
        let text = formatCallGraph(future)
        try subject.expect("text names all", ["inner", "middle", "outer"].allSatisfy(text.contains))
        try future.setResult(1)
        _ = try await outer.get()
        try subject.expect("afterwards", captureCallGraph(future).awaitedBy.count, 0)
      }
    },
    ConformanceCheck(180, "The call graph shows tasks that wait for each other once", facet: "cycle") { subject in
      let loop = try subject.makeLoop()
      let box: Future<LoopTask<Void>> = loop.createFuture()
      let a = try loop.createTask(name: "a") {
        let other = try await box.get()
        // A wait that a cancellation ends, so that the check can end.
        try await shield(other)
      }
      let b = try loop.createTask(name: "b") { try await a.get() }
      try loop.run {
        try box.setResult(b)
        for _ in 0..<3 { try await sleep(for: .zero) }
        var chain: [String] = []
        var entry: FutureCallGraph? = captureCallGraph(a)
        while let next = entry {
          chain.append(next.isCycle ? "\(next.name) again" : next.name)
          entry = next.awaitedBy.first
        }
        try subject.expect("chain", chain.joined(separator: " "), "a b a again")
        a.cancel()
        _ = try? await b.get()
      }
    },
  ]
}

private struct Failure: Error, CustomStringConvertible { var description: String { "the first failure" } }
private struct HandlerFailure: Error {}
