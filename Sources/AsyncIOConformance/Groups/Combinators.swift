internal import AsyncIO

extension ConformanceSuite {
  /// Group N, several tasks, and time limits.
  static let combinatorChecks: [ConformanceCheck] = [
    ConformanceCheck(166, "gather gives the values in the order of its arguments") { subject in
      try subject.run { loop in
        let last: Future<Int> = loop.createFuture()
        let tasks = try (0..<3).map { n in
          try loop.createTask {
            if n == 2 { try last.setResult(9) }
            return n
          }
        }
        let values = try await gather([last] + tasks + [last])
        try subject.expect("values", values, [9, 0, 1, 2, 9])
        let none = try await gather([Future<Int>]())
        try subject.expect("of nothing", none, [])
      }
    },
    ConformanceCheck(166, "gather throws the first error, and the others go on", facet: "error") { subject in
      try subject.run { loop in
        let release: Future<Void> = loop.createFuture()
        let slow = try loop.createTask {
          try await release.get()
          return 5
        }
        let failing = try loop.createTask { () -> Int in throw TaskFailure() }
        try await subject.expectError("error", "TaskFailure") { try await gather([slow, failing]) }
        try subject.expect("the other is done", slow.isDone, false)
        try release.setResult(())
        let value = try await slow.get()
        try subject.expect("its value", value, 5)
      }
    },
    ConformanceCheck(166, "gather that collects has values and errors", facet: "collects") { subject in
      try subject.run { loop in
        let tasks = try (0..<3).map { n in
          try loop.createTask { () -> Int in
            if n == 1 { throw TaskFailure() }
            return n
          }
        }
        let texts = try await gatherResults(tasks).map { result -> String in
          switch result {
          case .success(let value): "\(value)"
          case .failure: "error"
          }
        }
        try subject.expect("results", texts, ["0", "error", "2"])
      }
    },
    ConformanceCheck(166, "Cancelling a gather cancels all", facet: "cancel") { subject in
      try subject.run { loop in
        let tasks = try (0..<3).map { _ in try loop.createTask { try await sleep(for: .seconds(3600)) } }
        let waiting = try loop.createTask { _ = try await gather(tasks) }
        try await sleep(for: .zero)
        waiting.cancel()
        try await subject.expectError("ends as", "CancellationError") { try await waiting.get() }
        try subject.expect("cancelled", tasks.count(where: \.isCancelled), 3)
      }
    },
    ConformanceCheck(167, "The first failure of a group cancels the others; all errors come together") { subject in
      try subject.run { loop in
        let trail = Trail()
        var errors: [String] = []
        do {
          try await withLoopTaskGroup { group in
            try group.createTask {
              do { try await sleep(for: .seconds(3600)) } catch { throw TaskFailure(number: 2) }
            }
            let sibling = try group.createTask { try await sleep(for: .seconds(3600)) }
            sibling.addDoneCallback { trail.mark($0.isCancelled ? "cancelled" : "not cancelled") }
            try group.createTask { throw TaskFailure(number: 1) }
            do { try await sleep(for: .seconds(3600)) } catch {
              trail.mark("body")
              throw error
            }
          }
        } catch let error as TaskGroupError {
          errors = error.errors.map { "\(($0 as? TaskFailure)?.number ?? -1)" }
        }
        try await sleep(for: .zero)
        try subject.expect("errors", errors, ["1", "2"])
        try subject.expect("others", trail.marks.sorted(), ["body", "cancelled"])
        try subject.expect("the caller is cancelled", Task.isCancelled, false)
      }
    },
    ConformanceCheck(167, "A cancellation of a group from outside stays one", facet: "cancel") { subject in
      try subject.run { loop in
        let inner: Future<Void> = loop.createFuture()
        let outer = try loop.createTask {
          try await withLoopTaskGroup { group in
            try group.createTask { try await inner.get() }
          }
        }
        for _ in 0..<3 { try await sleep(for: .zero) }
        outer.cancel()
        try await subject.expectError("ends as", "CancellationError") { try await outer.get() }
        try subject.expect("inner cancelled", inner.isCancelled)
      }
    },
    ConformanceCheck(168, "Of nested limits only the inner one fires inside") { subject in
      try subject.run { _ in
        let value = try await withTimeout(.seconds(3600)) {
          try await subject.expectError("inner", "TimeoutError") {
            try await withTimeout(.milliseconds(2)) { try await sleep(for: .seconds(3600)) }
          }
          return Task.isCancelled
        }
        try subject.expect("outer is cancelled", value, false)
      }
    },
    ConformanceCheck(168, "A cancellation from outside is not a timeout", facet: "cancel") { subject in
      try subject.run { loop in
        let task = try loop.createTask {
          try await withTimeout(.seconds(3600)) { try await sleep(for: .seconds(3600)) }
        }
        for _ in 0..<3 { try await sleep(for: .zero) }
        task.cancel()
        try await subject.expectError("ends as", "CancellationError") { try await task.get() }
      }
    },
    ConformanceCheck(168, "A deadline, and a limit that was moved, strike when they have come", facet: "moved") {
      subject in
      try subject.run { loop in
        let deadline = loop.time().advanced(by: .milliseconds(2))
        try await subject.expectError("deadline", "TimeoutError") {
          try await withTimeout(at: deadline) { try await sleep(for: .seconds(3600)) }
        }
        try subject.expect("not early", loop.time() >= deadline)
        let limits = Box<[Timeout]>([])
        try await subject.expectError("moved", "TimeoutError") {
          try await withTimeout(.seconds(3600)) { timeout in
            limits.value.append(timeout)
            timeout.reschedule(after: .milliseconds(2))
            try await sleep(for: .seconds(3600))
          }
        }
        try await withTimeout(.seconds(3600)) { timeout in
          limits.value.append(timeout)
          timeout.reschedule(at: nil)
          try subject.expect("has no deadline", timeout.deadline == nil)
          try await sleep(for: .zero)
        }
        try subject.expect("expired", limits.value.map(\.isExpired), [true, false])
      }
    },
    ConformanceCheck(168, "Of two limits that strike in one turn the outer one is the error", facet: "together") {
      subject in
      let trail = Trail()
      try subject.run { loop in
        try await subject.expectError("ends as", "TimeoutError") {
          try await withTimeout(.seconds(3600)) { outer in
            do {
              try await withTimeout(.seconds(3600)) { inner in
                let now = loop.time()
                inner.reschedule(at: now.advanced(by: .milliseconds(-2)))
                outer.reschedule(at: now.advanced(by: .milliseconds(-1)))
                try await sleep(for: .seconds(3600))
              }
            } catch {
              trail.mark("\(type(of: error))")
              throw error
            }
          }
        }
        try subject.expect("the caller is cancelled", Task.isCancelled, false)
      }
      try subject.expect("inner", trail, "CancellationError")
    },
    ConformanceCheck(
      168, "A limit is not moved when it has struck or its body has ended", facet: "late",
      deviation: "CPython raises RuntimeError when a timeout is rescheduled too late."
    ) { subject in
      try subject.run { _ in
        let limits = Box<[Timeout]>([])
        try await withTimeout(.seconds(3600)) { limits.value.append($0) }
        try await subject.expectError("ends as", "TimeoutError") {
          try await withTimeout(.seconds(3600)) { timeout in
            limits.value.append(timeout)
            timeout.reschedule(after: .zero)
            try? await sleep(for: .seconds(3600))
            try subject.expect("inside", timeout.reschedule(at: nil), false)
            try await sleep(for: .zero)
          }
        }
        try subject.expect("ended", limits.value[0].reschedule(at: nil), false)
        try subject.expect("struck", limits.value[1].reschedule(at: nil), false)
      }
    },
    ConformanceCheck(169, "What is shielded goes on when the outer task is cancelled") { subject in
      let trail = Trail()
      try subject.run { loop in
        let release: Future<Void> = loop.createFuture()
        let inner = try loop.createTask {
          try await release.get()
          trail.mark("went on")
        }
        let outer = try loop.createTask { try await shield(inner) }
        try await sleep(for: .zero)
        outer.cancel()
        try await subject.expectError("outer", "CancellationError") { try await outer.get() }
        try release.setResult(())
        try await inner.get()
        try subject.expect("inner", trail, "went on")
      }
    },
    ConformanceCheck(169, "An error of what is shielded is reported when the outer task is gone", facet: "error") {
      subject in
      let loop = try subject.makeLoop()
      let release: Future<Void> = loop.createFuture()
      try loop.run {
        let outer = try loop.createTask {
          try await shield {
            try await release.get()
            throw TaskFailure()
          }
        }
        for _ in 0..<3 { try await sleep(for: .zero) }
        outer.cancel()
        try await subject.expectError("outer", "CancellationError") { try await outer.get() }
        try release.setResult(())
      }
      var reports = subject.takeReports()
      for _ in 0..<1000 where reports.isEmpty {
        try loop.run(turns: 1)
        reports = subject.takeReports()
      }
      try subject.expect("error", reports.first?.exception is TaskFailure)
    },
    ConformanceCheck(170, "A limit that is zero or less never starts the body") { subject in
      let trail = Trail()
      try subject.run { _ in
        for limit in [Duration.zero, .seconds(-1)] {
          try await subject.expectError("\(limit == .zero ? "zero" : "negative")", "TimeoutError") {
            try await withTimeout(limit) { trail.mark("body") }
          }
        }
      }
      try subject.expect("started", trail, "nothing")
    },
    ConformanceCheck(171, "An eager task that never suspends is done on return") { subject in
      try subject.run { loop in
        let trail = Trail()
        let outer = currentTask()
        let task = try loop.createTask(name: "eager", eagerStart: true) {
          trail.mark(currentTask()?.taskName ?? "none")
          return 6
        }
        try subject.expect("done", task.isDone)
        try subject.expect("value", try task.result(), 6)
        try subject.expect("current task inside", trail, "eager")
        try subject.expect("current task afterwards", currentTask() === outer)
      }
    },
    ConformanceCheck(171, "An eager task that suspends goes on later", facet: "suspends") { subject in
      try subject.run { loop in
        let trail = Trail()
        try loop.setTaskFactory(EagerTaskFactory())
        let task = try loop.createTask {
          trail.mark("begun")
          try await sleep(for: .zero)
          trail.mark("ended")
        }
        trail.mark("returned")
        try await task.get()
        try subject.expect("order", trail, "begun returned ended")
      }
    },
  ]
}
