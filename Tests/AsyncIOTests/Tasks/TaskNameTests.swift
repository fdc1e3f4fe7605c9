import Testing

@testable import AsyncIO

/// Names of tasks: given with the task, counted, and changed afterwards.
@Suite(.timeLimit(.minutes(5)))
struct TaskNameTests {
  private struct Failure: Error {}

  @Test("Every form that makes a task takes a name", arguments: LoopKind.allCases)
  func given(kind: LoopKind) async throws {
    try await kind.run { loop in
      let plain = try loop.createTask(name: "plain") {}
      let eager = try loop.createTask(name: "eager", eagerStart: true) {}
      let forThread = try loop.runCoroutineThreadsafe(name: "for a thread") {}
      let (named, counted) = try await withLoopTaskGroup { group in
        (try group.createTask(name: "in a group") {}, try group.createTask {})
      }
      #expect([plain, eager, forThread, named].map(\.taskName) == ["plain", "eager", "for a thread", "in a group"])
      #expect(counted.taskName.hasPrefix("Task-"))
      let request = TaskRequest(name: "by hand")
      let made = try LoopTask(loop: loop, request) { 1 }
      #expect(made.taskName == "by hand")
    }
  }

  @Test("A name that is changed is what is printed and captured from then on", arguments: LoopKind.allCases)
  func changed(kind: LoopKind) async throws {
    try await kind.run { loop in
      let future = loop.createFuture(of: Void.self)
      let task = try loop.createTask(name: "first") {
        try await future.get()
        currentTask()?.taskName = "third"
      }
      try await sleep(for: .zero)
      #expect("\(task)" == "first (pending)")
      task.taskName = "second"
      #expect(task.taskName == "second" && "\(task)" == "second (pending)")
      #expect(captureCallGraph(future).awaitedBy.map(\.name) == ["second"])
      #expect(formatCallGraph(future).contains("* second, waits at"))
      #expect(try allTasks().contains { $0.taskName == "second" })
      try future.setResult(())
      try await task.get()
      #expect("\(task)" == "third (done)")
      // Also when it has ended, and from another thread.
      try await inThread { task.taskName = "fourth" }
      #expect(task.taskName == "fourth")
    }
  }

  @Test("A report names the task as it is called by then", arguments: LoopKind.allCases)
  func reported(kind: LoopKind) async throws {
    let reports = Recorder<ExceptionContext>()
    try await kind.withLoop { loop in
      loop.exceptionHandler = { _, context in reports.record(context) }
      try loop.run {
        do {
          let failing = try loop.createTask(name: "before") {
            currentTask()?.taskName = "failing"
            throw Failure()
          }
          while !failing.isDone { try await sleep(for: .zero) }
        }
        let waiting = try loop.createTask(name: "before") { try await Event().wait() }
        try await sleep(for: .zero)
        waiting.taskName = "waiting"
      }
      try loop.close()
    }
    #expect(reports.all.map(\.task) == ["failing", "waiting"])
  }

  @Test("A task that awaits itself is named in the error", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.run { loop in
      let itself = Recorder<LoopTask<Void>>()
      let task = try loop.createTask {
        currentTask()?.taskName = "Narcissus"
        try await itself.all[0].get()
      }
      itself.record(task)
      let error = try await failure(EventLoopError.self) { try await task.get() }
      #expect(error.description.contains("Narcissus awaits itself"))
    }
  }
}
