internal import AsyncIO

extension ConformanceSuite {
  /// Group N, futures and tasks.
  static let futureAndTaskChecks: [ConformanceCheck] = [
    ConformanceCheck(157, "Callbacks of a future run in order, in the next turn") { subject in
      let loop = try subject.makeLoop()
      let future: Future<Int> = loop.createFuture()
      let trail = Trail()
      for number in 1...3 { future.addDoneCallback { _ in trail.mark(number) } }
      try loop.callSoon {
        try future.setResult(7)
        trail.mark("completed")
      }
      try loop.run(turns: 3)
      try subject.expect("order", trail, "completed 1 2 3")
    },
    ConformanceCheck(157, "A callback of a future that is done waits for the next turn", facet: "done") { subject in
      let loop = try subject.makeLoop()
      let future: Future<Int> = loop.createFuture()
      try future.setResult(7)
      let trail = Trail()
      try loop.callSoon {
        future.addDoneCallback { _ in trail.mark("callback") }
        trail.mark("added")
      }
      try loop.run(turns: 3)
      try subject.expect("order", trail, "added callback")
    },
    ConformanceCheck(157, "A callback that was removed does not run", facet: "removed") { subject in
      let loop = try subject.makeLoop()
      let future: Future<Int> = loop.createFuture()
      let trail = Trail()
      let token = future.addDoneCallback { _ in trail.mark("first") }
      future.addDoneCallback { _ in trail.mark("second") }
      try subject.expect("removed", future.removeDoneCallback(token))
      try subject.expect("removed again", future.removeDoneCallback(token), false)
      try future.setResult(1)
      try loop.run(turns: 2)
      try subject.expect("ran", trail, "second")
    },
    ConformanceCheck(
      157, "Tasks and callbacks that wait for a future are told in the order in which they came", facet: "waiters"
    ) { subject in
      for isAwaitedFirst in [false, true] {
        let trail = Trail()
        try subject.run { loop in
          let future: Future<Int> = loop.createFuture()
          for number in 1...4 {
            if (number % 2 == 0) == isAwaitedFirst {
              future.addDoneCallback { _ in trail.mark("callback-\(number)") }
            } else {
              try loop.createTask {
                let value = try await future.get()
                trail.mark("task-\(number)")
                return value
              }
              try await sleep(for: .zero)
            }
          }
          try future.setResult(7)
          for _ in 0..<6 { try await sleep(for: .zero) }
        }
        try subject.expect(
          isAwaitedFirst ? "a task first" : "a callback first", trail,
          isAwaitedFirst ? "task-1 callback-2 task-3 callback-4" : "callback-1 task-2 callback-3 task-4")
      }
    },
    ConformanceCheck(158, "A future is done once") { subject in
      let loop = try subject.makeLoop()
      let futures: [Future<Int>] = (0..<3).map { _ in loop.createFuture() }
      try futures[0].setResult(1)
      try futures[1].setException(TaskFailure())
      try subject.expect("cancelled", futures[2].cancel())
      for (name, future) in zip(["value", "error", "cancelled"], futures) {
        try subject.expectRefusal("\(name), then a value", .invalidState) { try future.setResult(2) }
        try subject.expectRefusal("\(name), then an error", .invalidState) { try future.setException(TaskFailure()) }
        try subject.expect("\(name), then cancelled", future.cancel(), false)
      }
      try subject.expect("kept", try futures[0].result(), 1)
      try subject.expect("kept error", try futures[1].exception() is TaskFailure)
      let pending: Future<Int> = loop.createFuture()
      try subject.expectRefusal("result of a pending one", .invalidState) { try pending.result() }
    },
    ConformanceCheck(159, "An error that nobody looked at is reported once") { subject in
      let loop = try subject.makeLoop()
      do { try loop.createFuture(of: Int.self).setException(TaskFailure()) }
      let reports = subject.takeReports()
      try subject.expect("reports", reports.count, 1)
      try subject.expect("error", reports.first?.exception is TaskFailure)
    },
    ConformanceCheck(159, "Errors that somebody looked at, and cancellations, are not reported", facet: "seen") {
      subject in
      let loop = try subject.makeLoop()
      do {
        let futures: [Future<Int>] = (0..<3).map { _ in loop.createFuture() }
        try futures[0].setException(TaskFailure())
        _ = try futures[0].exception()
        try futures[1].setException(TaskFailure())
        try loop.run { _ = try? await futures[1].get() }
        futures[2].cancel()
      }
      try subject.expect("reports", subject.takeReports().count, 0)
    },
    ConformanceCheck(160, "A task that is cancelled before it starts never runs its body") { subject in
      let trail = Trail()
      try subject.run { loop in
        let task = try loop.createTask { trail.mark("body") }
        try subject.expect("accepted", task.cancel())
        try await subject.expectError("ends as", "CancellationError") { try await task.get() }
        try subject.expect("cancelled", task.isCancelled)
      }
      try subject.expect("ran", trail, "nothing")
    },
    ConformanceCheck(
      160, "Cancelling the last of 10,000 tasks that wait for each other reaches the first at once", facet: "chain",
      deviation: "CPython ends with a RecursionError."
    ) { subject in
      try subject.run { loop in
        let first: Future<Void> = loop.createFuture()
        var tasks: [LoopTask<Void>] = []
        for _ in 0..<10_000 {
          let before = tasks.last ?? first
          tasks.append(try loop.createTask { try await before.get() })
        }
        // After them in the queue: all have begun when it has ended.
        try await loop.createTask {}.get()
        tasks.last?.cancel()
        try subject.expect("the first is cancelled", first.isCancelled)
        for task in tasks { _ = try? await task.get() }
        try subject.expect("cancelled tasks", tasks.count { $0.isCancelled }, 10_000)
      }
    },
    ConformanceCheck(161, "A task that does not mind its cancellation has its value, and the request counts") {
      subject in
      try subject.run { loop in
        let task = try loop.createTask {
          do { try await sleep(for: .seconds(3600)) } catch is CancellationError {}
          return 8
        }
        try await sleep(for: .zero)
        task.cancel()
        let value = try await task.get()
        try subject.expect("value", value, 8)
        try subject.expect("requests", task.cancelling, 1)
        try subject.expect("cancelled", task.isCancelled, false)
      }
    },
    ConformanceCheck(162, "Of two cancellations the first message wins") { subject in
      try subject.run { loop in
        let task = try loop.createTask { try await sleep(for: .seconds(3600)) }
        try await sleep(for: .zero)
        task.cancel("first")
        task.cancel("second")
        try await subject.expectError("ends as", "CancellationError") { try await task.get() }
        try subject.expect("message", task.cancelMessage ?? "none", "first")
        try subject.expect("requests", task.cancelling, 2)
      }
    },
    ConformanceCheck(
      163, "A task that cancels itself and returns has its value",
      deviation: "CPython ends it as cancelled: the cancellation is thrown at the next step, which is none."
    ) { subject in
      try subject.run { loop in
        let task = try loop.createTask {
          currentTask()?.cancel()
          return Task.isCancelled ? "flag set" : "flag not set"
        }
        let value = try await task.get()
        try subject.expect("value", value, "flag set")
      }
    },
    ConformanceCheck(164, "A task that waits for itself gets an error") { subject in
      try subject.run { loop in
        let box: Future<LoopTask<Void>> = loop.createFuture()
        let task = try loop.createTask {
          let itself = try await box.get()
          try await itself.get()
        }
        try box.setResult(task)
        var code: EventLoopError.Code?
        do { try await task.get() } catch let error as EventLoopError { code = error.code }
        try subject.expect("error", code == .invalidState)
      }
    },
    ConformanceCheck(
      164, "A future of another loop may be awaited; its value comes back to the task's own loop", facet: "foreign",
      capabilities: .threads,
      deviation: "CPython throws RuntimeError into the task."
    ) { subject in
      let other = try subject.makeLoop()
      let future: Future<Int> = other.createFuture()
      try subject.run { loop in
        let task = try loop.createTask {
          let value = try await future.get()
          return (value, try getRunningLoop() === loop)
        }
        try await sleep(for: .zero)
        let completing = CheckThread { Result { try other.run { try future.setResult(4) } } }
        let (value, isAtHome) = try await task.get()
        try completing.join().get()
        try subject.expect("value", value, 4)
        try subject.expect("on its own loop", isAtHome)
      }
    },
    ConformanceCheck(
      165, "A task is held until it has ended", deviation: "CPython holds tasks weakly, and they can vanish."
    ) { subject in
      let loop = try subject.makeLoop()
      weak var seen: LoopTask<Void>?
      let trail = Trail()
      let gate: Future<Void> = loop.createFuture()
      do {
        let task = try loop.createTask {
          try await gate.get()
          trail.mark("ended")
        }
        seen = task
      }
      try loop.run { try await sleep(for: .zero) }
      try subject.expect("held", seen != nil)
      try gate.setResult(())
      try loop.run(turns: 5)
      try subject.expect("ran", trail, "ended")
      try subject.expect("held afterwards", seen != nil, false)
    },
    ConformanceCheck(165, "A task that is pending when its loop is closed is reported", facet: "close") { subject in
      let loop = try subject.makeLoop()
      let gate: Future<Void> = loop.createFuture()
      let task = try loop.createTask(name: "left") { try await gate.get() }
      try loop.run { try await sleep(for: .zero) }
      try loop.close()
      let reports = subject.takeReports()
      try subject.expect("reports", reports.count, 1)
      try subject.expect("task", reports.first?.task ?? "none", "left")
      task.cancel()
    },
  ]
}

struct TaskFailure: Error, Equatable { var number = 0 }
