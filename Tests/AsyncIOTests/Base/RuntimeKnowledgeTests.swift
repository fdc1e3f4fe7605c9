import Testing

@testable import AsyncIO

/// What this package knows of the Swift runtime is tried out, and the trial can fail.
@Suite struct RuntimeKnowledgeTests {
  @Test("On this runtime every self-test passes")
  func passes() {
    let states = RuntimeKnowledge.findStates(trusted: true, layout: RuntimeLayout())
    for knowledge in RuntimeKnowledge.allCases {
      #expect(states[knowledge] == (knowledge.hasFallback ? .inUse : .alwaysInUse), "\(knowledge)")
    }
  }

  @Test("A runtime that is laid out otherwise fails the self-test of that piece, and of no other")
  func fails() {
    let wrong: [(RuntimeKnowledge, (inout RuntimeLayout) -> Void)] = [
      (.jobWords, { $0.jobAlignment = 1 << 30 }),
      // The function to go on with, instead of the context: the word before the right one.
      (.taskFrames, { $0.frameWord = 7 }),
      (.taskFrames, { $0.frameWord = 9 }),
      (.jobsOfTasks, { $0.jobWord = 1 }),
      (.referenceCounts, { $0.countsWord = 0 }),
      (.closureCaptures, { $0.capturesWord = 0 }),
      (.cancellationRecords, { $0.argumentDistance = 8 }),
      (.continuationAddresses, { $0.continuationSize = 16 }),
    ]
    for (knowledge, change) in wrong {
      var layout = RuntimeLayout()
      change(&layout)
      let states = RuntimeKnowledge.findStates(trusted: true, layout: layout)
      let failed = states.filter { $0.value != .inUse && $0.value != .alwaysInUse }
      #expect(failed == [knowledge: .offBySelfTest])
    }
    let tried = Set(wrong.map(\.0))
    #expect(tried == Set(RuntimeKnowledge.allCases.filter(\.hasFallback)))
  }

  @Test("What has no fallback is tried out as well")
  func failsWithoutFallback() {
    let right = RuntimeProbe.look(RuntimeLayout())
    #expect(right.currentTaskIsTold && right.number != nil)
    var another = right
    another.tasks[1] ^= 16
    #expect(!another.currentTaskIsTold)
    var uncancelled = right
    uncancelled.cancelled[1] = false
    #expect(!uncancelled.currentTaskIsTold)
    var unended = right
    unended.hasEnded = false
    #expect(!unended.currentTaskIsTold && !unended.recordWasCalled && !unended.frameIsWhereItWasExpected)
    #expect(RuntimeProbe.number(in: "ExecutorJob(id: 12)") == 12)
    for other in ["", "12", "ExecutorJob(id: )", "ExecutorJob(id: x)", "Job(id: 12)", "ExecutorJob(id: 12"] {
      #expect(RuntimeProbe.number(in: other) == nil, "\(other)")
    }
  }

  @Test("An environment that does not trust the runtime leaves unused what has a fallback")
  func off() {
    let states = RuntimeKnowledge.findStates(trusted: false, layout: RuntimeLayout())
    for knowledge in RuntimeKnowledge.allCases {
      #expect(states[knowledge] == (knowledge.hasFallback ? .offByEnvironment : .alwaysInUse), "\(knowledge)")
    }
  }

  @Test("A look in a task of a loop leaves the task as it was", arguments: LoopKind.allCases)
  func nested(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      try loop.run {
        let before = withUnsafeCurrentTask { $0?.hashValue }
        #expect(RuntimeProbe.look(RuntimeLayout()).hasEnded)
        #expect(withUnsafeCurrentTask { $0?.hashValue } == before)
        #expect(!Task.isCancelled)
        try await sleep(for: .milliseconds(1))
        #expect(RuntimeProbe.isRuntimeUntouched() == false)
      }
    }
  }

  @Test("A job in a box keeps its role, and gives its box up")
  func boxes() throws {
    let executor = Keeper()
    _ = Task(executorPreference: executor) {}
    let job = try #require(executor.job)
    for role in [LoopWord.Tag.taskJob, .serialJob, .routedJob] {
      weak var box: BoxedJob?
      let word: LoopWord
      do {
        let made = BoxedJob(job, role)
        box = made
        word = LoopWord(made, .boxedJob)
      }
      #expect(word.isJob && !word.isPlainJob && word.jobAddress == nil && box != nil)
      #expect(word.takeJob().role == role)
      #expect(box == nil)
    }
    job.runSynchronously(on: executor.asUnownedTaskExecutor())
  }

  private final class Keeper: TaskExecutor, @unchecked Sendable {
    // Right because one thread makes the task and takes the job.
    var job: UnownedJob?
    func enqueue(_ job: consuming ExecutorJob) { self.job = UnownedJob(job) }
  }

  #if os(Linux)
    @Test("A runtime with executors of its own is seen", arguments: LoopKind.allCases)
    func notTaken(kind: LoopKind) async throws {
      try await kind.withLoop { loop in
        #expect(!ProcessExecutors.hasRuntimeTaken(main: loop.serialFacade, ordinary: loop.taskFacade))
      }
    }

    @Test("doctor lists every piece, and says what turned it off")
    func doctor() async throws {
      let used = try await Program.run(["env", "-u", "ASYNCIO_RUNTIME_LAYOUT", Program.command, "doctor"])
      let off = try await Program.run(["env", "ASYNCIO_RUNTIME_LAYOUT=0", Program.command, "doctor"])
      for knowledge in RuntimeKnowledge.allCases {
        let states = [used, off].map { run in
          run.output.split(separator: "\n").first { $0.contains("  \(knowledge.rawValue): ") }.map(String.init) ?? ""
        }
        let expected: (RuntimeKnowledge.State, RuntimeKnowledge.State) =
          knowledge.hasFallback ? (.inUse, .offByEnvironment) : (.alwaysInUse, .alwaysInUse)
        #expect(states[0].hasSuffix(": \(expected.0.rawValue)"), "\(knowledge): \(used.output)")
        #expect(states[1].hasSuffix(": \(expected.1.rawValue)"), "\(knowledge): \(off.output)")
      }
    }
  #endif
}
