internal import AsyncIO
internal import CAsyncIO
internal import CConformance

extension ConformanceSuite {
  /// Group O, runners and Ctrl-C.
  static let runnerChecks: [ConformanceCheck] = [
    ConformanceCheck(172, "The runs of a runner share its loop, and what is bound around them") { subject in
      let runner = Runner(loopFactory: subject.factory)
      let trail = Trail()
      try CheckValue.$current.withValue("mine") {
        let loop = try runner.run {
          trail.mark(CheckValue.current)
          return try getRunningLoop()
        }
        try runner.run {
          trail.mark(CheckValue.current)
          trail.mark(try getRunningLoop() === loop ? "same" : "another")
        }
        try subject.expect("closed between", loop.isClosed, false)
      }
      try subject.expect("seen", trail, "mine mine same")
      let loop = try runner.getLoop()
      try runner.close()
      try runner.close()
      try subject.expect("closed", loop.isClosed)
      try subject.expectRefusal("run afterwards", .closed) { try runner.run {} }
      try subject.expectRefusal("loop afterwards", .closed) { try runner.getLoop() }
    },
    ConformanceCheck(172, "A run inside a run is refused", facet: "nested") { subject in
      let runner = Runner(loopFactory: subject.factory)
      let seen = Box<Result<Void, any Error>>(.success(()))
      try runner.getLoop().callSoon {
        seen.value = Result {
          try subject.expectRefusal("inside", .anotherLoopRunning) {
            try Runner(loopFactory: subject.factory).run {}
          }
        }
      }
      try runner.run { try await sleep(for: .zero) }
      try seen.value.get()
      try runner.close()
    },
    ConformanceCheck(173, "Left-over tasks are cancelled and awaited, and their errors reported") { subject in
      let runner = Runner(loopFactory: subject.factory)
      let trail = Trail()
      let loop = try runner.getLoop()
      loop.exceptionHandler = { _, context in
        trail.mark(context.message.contains("shutdown") ? "shutdown" : "another message")
        trail.mark(context.task ?? "none")
        trail.mark(context.exception is TaskFailure)
      }
      try runner.run {
        let loop = try getRunningLoop()
        try loop.createTask(name: "tidy") {
          do { try await sleep(for: .seconds(3600)) } catch {
            await Task.yield()
            trail.mark("cleaned up")
            throw error
          }
        }
        try loop.createTask(name: "careless") {
          do { try await sleep(for: .seconds(3600)) } catch { throw TaskFailure() }
        }
        try await sleep(for: .zero)
      }
      try subject.expect("before the close", trail, "nothing")
      try runner.close()
      try subject.expect("after it", trail, "cleaned up shutdown careless true")
    },
    ConformanceCheck(
      174, "The first SIGINT cancels the body", capabilities: .threads, surroundings: [.ownProcess, .signals]
    ) {
      subject in
      let trail = Trail()
      try subject.interruptibleRun("ends with", "KeyboardInterrupt") {
        do { try await untilCancelled(sends: 1) } catch {
          await Task.yield()
          trail.mark("cleaned up")
          throw error
        }
      }
      try subject.expect("body", trail, "cleaned up")
    },
    ConformanceCheck(
      174, "The second SIGINT ends the run at once", facet: "twice", capabilities: .threads,
      surroundings: [.ownProcess, .signals]
    ) {
      subject in
      let trail = Trail()
      let release = Box<UnsafeContinuation<Void, Never>?>(nil)
      try subject.interruptibleRun("ends with", "KeyboardInterrupt", beforeClose: { release.value?.resume() }) {
        do { try await untilCancelled(sends: 1) } catch { trail.mark("first") }
        try getRunningLoop().callSoon { Process.send(SIGINT) }
        // A wait that a cancellation does not end.
        await withUnsafeContinuation { release.value = $0 }
        trail.mark("went on")
      }
      try subject.expect("body", trail, "first went on")
    },
    ConformanceCheck(
      174, "A body that does not mind its cancellation has its value", facet: "swallowed", capabilities: .threads,
      surroundings: [.ownProcess, .signals]
    ) { subject in
      try subject.interruptibleRun("ends with", "its value") {
        do { try await untilCancelled(sends: 1) } catch {}
      }
    },
    ConformanceCheck(
      174, "A body that somebody else has cancelled before ends as cancelled", facet: "cancelled",
      capabilities: .threads,
      surroundings: [.ownProcess, .signals]
    ) { subject in
      try subject.interruptibleRun("ends with", "CancellationError") {
        let itself = currentTask()
        try getRunningLoop().callSoon { itself?.cancel() }
        do { try await untilCancelled(sends: 0) } catch {
          Process.send(SIGINT)
          while itself?.cancelling != 2 { await Task.yield() }
          throw error
        }
      }
    },
    ConformanceCheck(
      175, "SIGINT has its default action again after a run", capabilities: .threads,
      surroundings: [.ownProcess, .signals]
    ) { subject in
      try subject.interruptibleRun("ends with", "its value") {
        try subject.expect("during", Process.action(of: SIGINT), "handler")
      }
      try subject.expect("afterwards", Process.action(of: SIGINT), "default")
    },
    ConformanceCheck(
      175, "An action that was put there during the run stays", facet: "changed", surroundings: [.ownProcess, .signals]
    ) { subject in
      try subject.interruptibleRun("ends with", "its value") { Process.setAction(of: SIGINT, .ignored) }
      try subject.expect("afterwards", Process.action(of: SIGINT), "ignored")
    },
    ConformanceCheck(
      175, "An action that is not the default one is left alone", facet: "other", surroundings: [.ownProcess, .signals]
    ) { subject in
      try subject.interruptibleRun("ends with", "its value", action: .ignored) {
        try subject.expect("during", Process.action(of: SIGINT), "ignored")
      }
      try subject.expect("afterwards", Process.action(of: SIGINT), "ignored")
    },
  ]
}

/// Suspend until it is cancelled, after this many signals were sent.
private func untilCancelled(sends count: Int) async throws {
  let loop = try getRunningLoop()
  for _ in 0..<count { try loop.callSoon { Process.send(SIGINT) } }
  try await sleep(for: .seconds(3600))
}

extension ConformanceSubject {
  /// Run a body by a runner in this thread, the main one, and return how the run ended: the type of its error, or "its
  /// value".
  fileprivate func interruptibleRun(
    _ name: String, _ expected: String, action: Process.Action = .default, beforeClose: () -> Void = {},
    _ body: @escaping @Sendable () async throws -> Void
  ) throws {
    // The program that started this one may have the signal blocked, or ignored.
    _ = cconformance_unblock_signal(SIGINT)
    Process.setAction(of: SIGINT, action)
    let runner = Runner(loopFactory: factory)
    var ending = "its value"
    do { try runner.run { try await body() } } catch { ending = "\(type(of: error))" }
    try expect(name, ending, expected)
    beforeClose()
    try runner.close()
  }
}
