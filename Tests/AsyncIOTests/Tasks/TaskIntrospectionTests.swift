import Testing

@testable import AsyncIO

/// Eager tasks, task factories, which task runs, and which waits for which.
@Suite(.timeLimit(.minutes(5)))
struct TaskIntrospectionTests {
  private struct Failure: Error, Equatable {}

  @Test("171: an eager task that never suspends is done on return", arguments: LoopKind.allCases)
  func eager(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let outer = currentTask()
      let task = try loop.createTask(name: "eager", eagerStart: true) {
        notes.record(currentTask()?.taskName ?? "none")
        return try getRunningLoop() === loop
      }
      #expect(task.isDone && notes.all == ["eager"])
      #expect(try task.result())
      #expect(currentTask() === outer && outer != nil)
      let failing = try loop.createTask(eagerStart: true) { throw Failure() }
      #expect(failing.isDone)
      #expect(throws: Failure()) { try failing.result() }
      #expect(try allTasks().count == 1)
    }
  }

  @Test("171: a callback also starts eager tasks; before the run and elsewhere they wait", arguments: LoopKind.allCases)
  func eagerElsewhere(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let before = try loop.createTask(eagerStart: true) { 1 }
      #expect(!before.isDone)
      let notes = Recorder<Bool>()
      try loop.callSoon {
        notes.record(try loop.createTask(eagerStart: true) { 2 }.isDone)
      }
      #expect(try loop.runUntilComplete(before) == 1)
      try loop.run { try await sleep(for: .zero) }
      #expect(notes.all == [true])
    }
  }

  private struct Counting: TaskFactory {
    let names = Recorder<String>()

    func makeTask<Value: Sendable>(
      on loop: any EventLoop, _ request: TaskRequest, _ body: sending @escaping () async throws -> Value
    ) throws(EventLoopError) -> LoopTask<Value> {
      names.record(request.name ?? "none")
      var request = request
      request.name = "made"
      return try LoopTask(loop: loop, request, body)
    }
  }

  @Test("A task factory makes the tasks; nil restores the default", arguments: LoopKind.allCases)
  func factory(kind: LoopKind) async throws {
    try await kind.run { loop in
      #expect(loop.getTaskFactory() == nil)
      let factory = Counting()
      try loop.setTaskFactory(factory)
      let task = try loop.createTask(name: "mine") { 1 }
      #expect(task.taskName == "made" && factory.names.all == ["mine"])
      #expect(try await task.get() == 1)
      try loop.setTaskFactory(EagerTaskFactory())
      #expect(loop.getTaskFactory() is EagerTaskFactory)
      #expect(try loop.createTask { 2 }.isDone)
      #expect(try !loop.createTask(eagerStart: false) { 2 }.isDone)
      try loop.setTaskFactory(nil)
      #expect(try !loop.createTask { 2 }.isDone)
    }
  }

  @Test("currentTask is the task whose body runs, also inside withTimeout; not in callbacks and child tasks")
  func current() async throws {
    #expect(currentTask() == nil)
    try await withLoop { loop in
      try await loop.run {
        let main = try #require(currentTask())
        #expect(main.loop === loop)
        let inner = try loop.createTask(name: "inner") {
          #expect(currentTask()?.taskName == "inner")
          try await withTimeout(.seconds(60)) {
            try await sleep(for: .zero)
            #expect(currentTask()?.taskName == "inner")
          }
          async let child = currentTask() == nil
          #expect(await child)
        }
        let seen = loop.createFuture(of: Bool.self)
        try loop.callSoon { try seen.setResult(currentTask() == nil) }
        #expect(try await seen.get())
        #expect(currentTask() === main)
        #expect(try allTasks().first === main)
        #expect(try allTasks(of: loop).contains { $0 === inner })
        try await inner.get()
      }
      #expect(try allTasks(of: loop).isEmpty)
    }
    expectRefusal(.noRunningLoop) { try allTasks() }
  }

  @Test("180: the call graph of nested waits shows the chain", arguments: LoopKind.allCases)
  func graph(kind: LoopKind) async throws {
    try await kind.run { loop in
      let future = loop.createFuture(of: Int.self)
      let inner = try loop.createTask(name: "inner") { try await future.get() }
      let middle = try loop.createTask(name: "middle") {
        try await withTimeout(.seconds(3600)) { try await gather([inner])[0] }
      }
      let outer = try loop.createTask(name: "outer") {
        try await withLoopTaskGroup { group in
          try await group.createTask(name: "member") { try await shield(middle) }.get()
        }
      }
      while middle.awaiters.isEmpty { try await sleep(for: .zero) }
      let graph = captureCallGraph(future)
      var names: [String] = []
      var entry: FutureCallGraph? = graph
      while let next = entry {
        names.append(next.name)
        entry = next.awaitedBy.first
      }
      #expect(names == ["a future", "inner", "middle", "member", "outer"])
      #expect("\(graph.awaitedBy[0].waitsAt!)".contains("TaskIntrospectionTests.swift"))
      #expect(captureCallGraph(future, limit: 1).awaitedBy[0].awaitedBy.isEmpty)
      let text = formatCallGraph(future)
      #expect(text.contains("* a future\n  + awaited by:\n    * inner, waits at "))
      try future.setResult(3)
      #expect(try await outer.get() == 3)
      #expect(captureCallGraph(future).awaitedBy.isEmpty)
      #expect(captureCallGraph()?.awaitedBy.isEmpty == true)
    }
  }

  @Test("180: tasks that wait for each other are a cycle, which the graph shows once", arguments: LoopKind.allCases)
  func cycle(kind: LoopKind) async throws {
    try await kind.run { loop in
      let box = loop.createFuture(of: LoopTask<Void>.self)
      let a = try loop.createTask(name: "a") { try await box.get().get() }
      let b = try loop.createTask(name: "b") { try await a.get() }
      try box.setResult(b)
      while b.awaiters.isEmpty { try await sleep(for: .zero) }
      let graph = captureCallGraph(a)
      #expect(graph.awaitedBy.map(\.name) == ["b"])
      let last = try #require(graph.awaitedBy.first?.awaitedBy.first)
      #expect(last.name == "a" && last.isCycle && last.awaitedBy.isEmpty)
      #expect(graph.description.contains("a cycle"))
      // Nothing that a program can do ends them: each waits for the other's end.
      b.complete(.success(()))
      try await a.get()
    }
  }
}
