#if os(Linux)
  import Testing

  @testable import AsyncIO

  /// `AsyncIO.run` takes the process over, so each test has a process of its own.
  @Suite struct WholeProcessTests {
    @Test("A run has everything that Swift starts, in one thread")
    func oneThread() async throws {
      let program = try await HelperProgram.run("one-thread")
      let places = [
        "body", "main actor", "task", "task on the main actor", "detached", "detached low", "default actor",
        "concurrent function", "async let", "group", "after Task.sleep", "after sleep", "after yield",
      ]
      for place in places { #expect(program[place] == "true", "\(place)") }
      #expect(program["threads"] == "1")
      #expect(program["value"] == "42")
    }

    @Test("Thousands of runs leave no memory behind", .enabled(if: !isAddressSanitized && !isThreadSanitized))
    func byTheThousand() async throws {
      let program = try await HelperProgram.run("runs-by-the-thousand")
      let grown = try #require(program["KiB"].flatMap { Int($0) })
      #expect(grown < 800, "8,000 runs took \(grown) KiB, and 300 bytes for each would be 2,400")
    }

    @Test(
      "A function of the main actor that waits from run to run stays in the main actor", arguments: LoopKind.allCases)
    func mainActorAcrossRuns(kind: LoopKind) async throws {
      let name = kind == .epoll ? "selector" : kind.rawValue
      let program = try await HelperProgram.run("main-actor-across-runs", ["ASYNCIO_EVENT_LOOP": name])
      #expect(program["visits"] == "120")
    }

    @Test("A run after a task has run is refused, and leaves nothing behind", arguments: ["global", "detached"])
    func late(_ how: String) async throws {
      let program = try await HelperProgram.run("late-\(how)")
      #expect(program["refusal"] == "runtimeAlreadyStarted")
      #expect(program["refusal text"]?.contains("tasks ran before it") == true)
      #expect(program["refusal text"]?.contains("use loop.run { }") == true)
      #expect(program["body"] == nil)
      // The policy may have been asked for a loop; the context of the thread is as it was.
      #expect(program["context was touched"] == "false")
      #expect(program["loop.run"] == "7")
    }

    @Test("A run inside a run is refused, and the outer one goes on")
    func insideRun() async throws {
      let program = try await HelperProgram.run("run-inside-run")
      #expect(program["refusal"] == "anotherLoopRunning")
      #expect(program["outer still runs"] == "true")
      #expect(program["outer went on"] == "true")
      #expect(program["body"] == nil)
      #expect(program["calls"] == #"["new", "set(loop)", "set(nil)"]"#)
    }

    @Test("A run in another thread while one is going on is refused, and the first one keeps the process")
    func besideRun() async throws {
      let program = try await HelperProgram.run("run-beside-run")
      #expect(program["refusal"] == "anotherLoopRunning")
      #expect(program["refusal text"]?.contains("another thread") == true)
      #expect(program["body"] == nil)
      #expect(program["still has the process"] == "true")
      #expect(program["scoped loop"] == "true")
      #expect(program["calls"] == #"["new", "set(loop)", "new", "set(nil)"]"#)
    }

    @Test("A whole-process run inside a task is refused, as is the synchronous loop.run; the asynchronous one is not")
    func insideTask() async throws {
      let program = try await HelperProgram.run("run-inside-task")
      #expect(program["refusal"] == "runInsideTask")
      #expect(program["loop refusal"] == "runInsideTask")
      #expect(program["refusal text"]?.contains("try await AsyncIO.run { }") == true)
      #expect(program["loop refusal text"]?.contains("try await loop.run { }") == true)
      // A call without a loop gets an error of the same kind, and its advice works.
      #expect(program["no loop"] == "noRunningLoop")
      #expect(program["no loop text"]?.contains("try await AsyncIO.run { }") == true)
      #expect(program["body"] == nil && program["loop body"] == nil)
      #expect(program["loop.run"] == "3")
    }

    @Test(
      "Inside a task the awaited form runs a loop of its own, and ends what it began, however it ends",
      arguments: LoopKind.allCases)
    func awaited(kind: LoopKind) async throws {
      let program = try await HelperProgram.run("run-awaited", ["ASYNCIO_EVENT_LOOP": kind.commandName])
      #expect(program["before"]?.contains("try await AsyncIO.run { }") == true)
      #expect(program["calls"] == #"["new", "set(loop)"]"#)
      #expect(program["calls after"] == "6")
      for fact in ["current", "inside", "closed"] { #expect(program[fact] == "true", "\(fact)") }
      #expect(program["in an executor"] == "5")
      #expect(program["notes"] == #"["cleaned up"]"#)
      #expect(program["error"] == "Escaping")
      #expect(program["interrupt"] == "KeyboardInterrupt")
      #expect(program["stop"] == "stoppedBeforeCompletion")
      #expect(program["cancelled"] == "CancellationError")
      #expect(program["all notes"] == #"["cleaned up", "stopped"]"#)
    }

    @Test("What is started between two runs waits for the second one and runs there")
    func twoRuns() async throws {
      let program = try await HelperProgram.run("two-runs")
      #expect(program["ran between"] == "[]")
      #expect(program["threads between"] == "1")
      #expect(program["another loop"] == "true")
      #expect(program["ran in the second run"] == #"["detached", "main actor", "task"]"#)
      #expect(program["on the main thread"] == "true")
      #expect(program["default executor is the second loop"] == "true")
      #expect(program["threads"] == "1")
    }

    @Test("A main actor's task that is suspended in one run and resumed in a later one finds its executor")
    func parkedMainActor() async throws {
      let program = try await HelperProgram.run("parked-main-actor")
      #expect(program["before"] == "[]")
      #expect(program["after"] == #"["resumed"]"#)
      #expect(program["on the main thread"] == "true")
    }

    @Test("A Task.sleep that is under way when its run ends is not over early in the next run")
    func sleepAcrossRuns() async throws {
      let program = try await HelperProgram.run("sleep-across-runs")
      #expect(program["slept its time"] == #"["true"]"#)
    }

    @Test("A14: run without a factory: the policy sees exactly new, set(loop), set(nil)")
    func policyIsTold() async throws {
      let program = try await HelperProgram.run("run-with-policy")
      #expect(program["during"] == #"["new", "set(loop)"]"#)
      let once = #""new", "set(loop)", "set(nil)""#
      #expect(program["after"] == "[\(once)]")
      #expect(program["get"] == "noCurrentLoop")
      #expect(program["error"] == "Failure")
      #expect(program["after an error"] == "[\(once), \(once)]")
      #expect(program["debug"] == "false")
      #expect(program["debug asked for"] == "true")
    }

    @Test("A15: run with a factory: the policy is not consulted")
    func factory() async throws {
      let program = try await HelperProgram.run("run-with-factory")
      #expect(program["runs the factory's loop"] == "true")
      #expect(program["has the process"] == "true")
      #expect(program["calls"] == "[]")
      #expect(program["closed"] == "true")
      #expect(program["factory's error"] == "Failure")
    }

    @Test("A17: the child of a fork has no running loop, no task and no current loop, and runs a new one")
    func fork() async throws {
      let program = try await HelperProgram.run("fork")
      #expect(program["child threw"] == nil)
      #expect(program["running"] == "noRunningLoop")
      #expect(program["current"] == "noCurrentLoop")
      #expect(program["task"] == "false")
      for fact in ["fresh", "callback", "runs", "is another process"] { #expect(program[fact] == "true", "\(fact)") }
      #expect(program["child status"] == "0")
      #expect(program["parent still runs"] == "true")
      #expect(program["parent's context"] == "true")
      // What the parent's loops had to do is not done twice.
      #expect(program["work of the parent's loop"] == nil)
      #expect(!program.standardError.contains("dropped without close"))
    }

    @Test(
      "The child of a fork looks names up, even if its parent did so before",
      .disabled(if: isThreadSanitized, "the thread sanitizer allows no threads in the child of a fork"))
    func forkAfterLookUp() async throws {
      let program = try await HelperProgram.run("fork-names")
      #expect(program["child threw"] == nil)
      #expect(program["parent found some"] == "true")
      #expect(program["child found as many"] == "true")
      #expect(program["child status"] == "0")
    }

    @Test("Tasks of createTask that are left at the end of a run are cancelled and awaited")
    func leftovers() async throws {
      let program = try await HelperProgram.run("run-ends-its-tasks")
      #expect(program["notes"] == #"["a cleaned up", "b cleaned up"]"#)
      #expect(program["sleepers"] == "0")
    }

    @Test("173: the error of a left-over task is reported with the task")
    func leftoverErrors() async throws {
      let program = try await HelperProgram.run("run-reports-leftovers")
      #expect(program["report"]?.contains("shutdown") == true)
      #expect(program["error"] == "Failure")
      #expect(program["task"] == "careless")
    }

    @Test(
      "A run that an interrupt or stop() ends cancels and awaits its body and tasks before it returns",
      arguments: [("run-interrupted", "KeyboardInterrupt"), ("run-stopped", "stoppedBeforeCompletion")])
    func endedEarly(_ name: String, _ error: String) async throws {
      let program = try await HelperProgram.run(name)
      #expect(program["ended with"] == error)
      #expect(program["notes"] == #"["body cleaned up", "task cleaned up"]"#)
      #expect(program["calls"] == #"["new", "set(loop)", "set(nil)"]"#)
      #expect(program["again"] == "5")
      #expect(program.standardError == "")
    }

    @Test("An AsyncProgram runs by its own policy, which code of the program sees")
    func program() async throws {
      let program = try await HelperProgram.run("program")
      #expect(program["calls"] == #"["new", "set(loop)"]"#)
      for fact in ["policy", "seen in a task", "main thread"] { #expect(program[fact] == "true", "\(fact)") }
      #expect(program["threads"] == "1")
    }

    @Test("An error that leaves an AsyncProgram is printed, and the status of the process is 1")
    func failingProgram() async throws {
      let program = try await HelperProgram.runToEnd("program-fails")
      #expect(program.status == 1)
      #expect(program.standardError == "error: no coffee left\n")
    }

    @Test("Runs leave no descriptor, no thread and nothing counted behind")
    func leavesNothing() async throws {
      let program = try await HelperProgram.run("leaves-nothing")
      #expect(program["descriptors"] == "0")
      #expect(program["threads"] == "0")
      #expect(program["counters"] == "same")
    }
  }
#endif
