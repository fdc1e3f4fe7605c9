internal import AsyncIO

extension ConformanceSuite {
  /// Group D, the thread checks of debug mode, and tasks that a thread waits for.
  static let threadRuleChecks: [ConformanceCheck] = [
    ConformanceCheck(
      54, "In debug mode another thread is refused to schedule; threadsafe calls are not", capabilities: .threads
    ) { subject in
      let loop = try subject.makeLoop()
      loop.isDebug = true
      try besides(loop) {
        try subject.expectRefusal("callSoon", .wrongThread) { try loop.callSoon {} }
        try subject.expectRefusal("callLater", .wrongThread) { try loop.callLater(.zero) {} }
        try subject.expectRefusal("callAt", .wrongThread) { try loop.callAt(loop.time()) {} }
        try subject.expectRefusal("createTask", .wrongThread) { try loop.createTask {} }
        let ran = Gate()
        try loop.callSoonThreadsafe { ran.open() }
        try subject.expect("callSoonThreadsafe", ran.wait(for: .seconds(10)))
      }
    },
    ConformanceCheck(
      54, "addReader is refused to other threads in every mode, and stop is honoured and reported", facet: "others",
      capabilities: .descriptorWatches,
      deviation: "CPython checks call_soon, call_later and call_at only, and a stop from another thread wakes nobody."
    ) { subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      loop.isDebug = true
      try besides(loop) {
        try subject.expectRefusal("addReader", .wrongThread) { try loop.addReader(pair.near) {} }
        try subject.expectRefusal("removeReader", .wrongThread) { try loop.removeReader(pair.near) }
        // A future may be made and used in any thread.
        let future: Future<Int> = loop.createFuture()
        try future.setResult(1)
        try subject.expect("createFuture", try future.result(), 1)
        loop.stop()
      }
      let codes = subject.takeReports().map { ($0.exception as? EventLoopError)?.code }
      try subject.expect("stop", codes == [.wrongThread] ? "reported" : "\(codes)", "reported")
    },
    ConformanceCheck(
      54, "Without debug mode scheduling from another thread is posted to the loop", facet: "posted",
      capabilities: .threads,
      deviation: "CPython leaves undefined what call_soon from another thread does outside of debug mode."
    ) { subject in
      let loop = try subject.makeLoop()
      loop.isDebug = false
      let ran = Gate()
      try besides(loop) {
        try loop.callSoon { try loop.callLater(.milliseconds(1)) { ran.open() } }
        try subject.expect("ran", ran.wait(for: .seconds(10)))
      }
    },
    ConformanceCheck(
      55, "A thread gets the value and the error of a body that runs on the loop", capabilities: .threads
    ) { subject in
      struct Failure: Error {}
      let loop = try subject.makeLoop()
      try besides(loop) {
        let future = try loop.runCoroutineThreadsafe {
          try await sleep(for: .zero)
          return try getRunningLoop() === loop
        }
        try subject.expect("value", try future.wait(timeout: .seconds(10)))
        try subject.expect("value again", try future.wait(timeout: .zero))
        let failing = try loop.runCoroutineThreadsafe { throw Failure() }
        do {
          try failing.wait(timeout: .seconds(10))
          try subject.fail("a body that throws gave a value")
        } catch {
          try subject.expect("error", "\(type(of: error))", "Failure")
        }
      }
    },
    ConformanceCheck(55, "A cancel by the thread reaches the body", facet: "cancel", capabilities: .threads) {
      subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try besides(loop) {
        let began = Gate()
        let future = try loop.runCoroutineThreadsafe {
          began.open()
          do { try await sleep(for: .seconds(3600)) } catch {
            trail.mark("cancelled")
            throw error
          }
        }
        began.wait()
        try subject.expect("cancel", future.cancel("enough"))
        do {
          try future.wait(timeout: .seconds(10))
          try subject.fail("a cancelled body gave a value")
        } catch {
          try subject.expect("error", "\(type(of: error))", "CancellationError")
        }
        try subject.expect("future is cancelled", future.isCancelled)
        try subject.expect("message", future.cancelMessage ?? "none", "enough")
        try subject.expect("cancel again", future.cancel(), false)
      }
      try subject.expect("body", trail, "cancelled")
    },
    ConformanceCheck(55, "A cancel in the body reaches the thread", facet: "cancelled", capabilities: .threads) {
      subject in
      let loop = try subject.makeLoop()
      try besides(loop) {
        let future = try loop.runCoroutineThreadsafe {
          withUnsafeCurrentTask { $0?.cancel() }
          try await sleep(for: .seconds(3600))
        }
        do {
          try future.wait(timeout: .seconds(10))
          try subject.fail("a cancelled body gave a value")
        } catch {
          try subject.expect("error", "\(type(of: error))", "CancellationError")
        }
        try subject.expect("future is cancelled", future.isCancelled)
      }
    },
  ]
}

/// Run the loop in this thread and the body in another one, until the body has ended.
private func besides(_ loop: any EventLoop, _ body: @escaping @Sendable () throws -> Void) throws {
  let running = Gate()
  try loop.callSoon { running.open() }
  let thread = CheckThread { () -> Result<Void, any Error> in
    running.wait()
    let result = Result { try body() }
    _ = try? loop.callSoonThreadsafe { loop.stop() }
    return result
  }
  try loop.runForever()
  // The body may have stopped the loop before its end.
  let result = thread.join()
  try result.get()
}
