internal import AsyncIO

extension ConformanceSuite {
  /// Group L, blocking work on threads, and names.
  static let executorAndNameChecks: [ConformanceCheck] = [
    ConformanceCheck(143, "Values and errors of work in a thread come back to the loop", capabilities: .threads) {
      subject in
      try subject.run { loop in
        let elsewhere = try await loop.runInExecutor { (try? getRunningLoop()) == nil }.get()
        try subject.expect("worked elsewhere", elsewhere)
        try subject.expect("back on the loop", try getRunningLoop() === loop)
        try await subject.expectError("error", "WorkFailure") {
          try await loop.runInExecutor { throw WorkFailure() }.get()
        }
      }
    },
    ConformanceCheck(143, "Work in a thread sees the values of the task that asked for it", facet: "context") {
      subject in
      try subject.run { _ in
        let seen = try await CheckValue.$current.withValue("mine") { try await toThread { CheckValue.current } }
        try subject.expect("seen", seen, "mine")
        try await subject.expectError("error", "WorkFailure") { try await toThread { throw WorkFailure() } }
      }
    },
    ConformanceCheck(144, "A cancellation releases who waits; the work goes on to its end", capabilities: .threads) {
      subject in
      try subject.run { loop in
        let (started, release, ended) = (Gate(), Gate(), Gate())
        let work = try loop.runInExecutor {
          started.open()
          release.wait()
          ended.open()
        }
        let waiting = try loop.createTask { try await work.get() }
        started.wait()
        try await sleep(for: .zero)
        waiting.cancel()
        try await subject.expectError("waiting", "CancellationError") { try await waiting.get() }
        try subject.expect("cancelled", work.isCancelled)
        release.open()
        try subject.expect("worked to its end", ended.wait(for: .seconds(10)))
      }
    },
    ConformanceCheck(145, "A shutdown of the default executor waits for its work") { subject in
      try subject.run { loop in
        let release = Gate()
        let trail = Trail()
        let work = try loop.runInExecutor {
          release.wait()
          trail.mark("worked")
        }
        let shutdown = try loop.createTask {
          await loop.shutdownDefaultExecutor(timeout: nil)
          trail.mark("shut down")
        }
        for _ in 0..<10 { try await sleep(for: .zero) }
        try subject.expect("before", trail, "nothing")
        release.open()
        try await shutdown.get()
        try await work.get()
        try subject.expect("order", trail, "worked shut down")
      }
    },
    ConformanceCheck(
      145, "A shutdown with a limit gives up with a warning", facet: "limit", capabilities: .threads,
      surroundings: .ownProcess
    ) { subject in
      CapturedLog.start()
      try subject.run { loop in
        let release = Gate()
        let work = try loop.runInExecutor { release.wait() }
        await loop.shutdownDefaultExecutor(timeout: .milliseconds(5))
        try subject.expect("warnings", CapturedLog.lines.count { $0.hasPrefix("warning") }, 1)
        try subject.expect("still at work", !work.isDone)
        release.open()
        try await work.get()
      }
    },
    ConformanceCheck(146, "After its shutdown the default executor refuses", capabilities: .threads) { subject in
      try subject.run { loop in
        await loop.shutdownDefaultExecutor(timeout: nil)
        try subject.expectRefusal("work", .executorShutDown) { try loop.runInExecutor {} }
        let pool = ThreadPool(maximumThreads: 1)
        let value = try await loop.runInExecutor(pool) { 3 }.get()
        try subject.expect("another pool", value, 3)
        pool.shutDown()
      }
    },
    ConformanceCheck(147, "Work that ends after its loop was closed hurts nobody", capabilities: .threads) { subject in
      let (release, ended) = (Gate(), Gate())
      let trail = Trail()
      do {
        let loop = try subject.factory()
        let future = try loop.runInExecutor {
          release.wait()
          ended.open()
        }
        future.addDoneCallback { _ in trail.mark("callback") }
        try loop.close()
      }
      release.open()
      try subject.expect("worked to its end", ended.wait(for: .seconds(10)))
      try subject.expect("callbacks", trail, "nothing")
    },
  ]
}

private struct WorkFailure: Error {}

/// A task-local value to look for.
enum CheckValue {
  @TaskLocal static var current = "none"
}

extension ConformanceSubject {
  /// Fail the check unless the body throws an error of this type, by its name.
  func expectError<Value>(_ name: String, _ type: String, _ body: () async throws -> Value) async throws {
    var seen = "none"
    do { _ = try await body() } catch { seen = "\(Swift.type(of: error))" }
    try expect(name, seen, type)
  }
}
