#if os(Linux)
  import AsyncIO
  import POSIX
  import Testing

  /// `AsyncIO.run(loops:)` takes the process over, so each test has a process of its own, for each kind of loop.
  @Suite struct RunLoopsTests {
    static let kinds = ["selector", "poll"] + (LoopKind.hasProactor ? ["proactor"] : [])

    private func program(_ name: String, _ kind: String) async throws -> HelperProgram {
      try await HelperProgram.run(name, ["ASYNCIO_EVENT_LOOP": kind])
    }

    @Test(
      "Everything that Swift starts stays on the loop that it was started on; the main actor is on loop 0",
      arguments: kinds)
    func places(kind: String) async throws {
      let program = try await program("loops-places", kind)
      let places = [
        "body", "task", "detached", "default actor", "concurrent function", "async let", "group",
        "task after Task.sleep", "after Task.sleep", "after sleep", "createTask", "main actor", "after the main actor",
        "elsewhere", "after elsewhere",
      ]
      for index in 0..<3 {
        for place in places { #expect(program["\(index) \(place)"] == "true", "\(index) \(place)") }
        #expect(program["\(index) main thread"] == "\(index == 0)")
      }
      #expect(program["1 thread"] == "asyncio loop 1" && program["2 thread"] == "asyncio loop 2")
      #expect(program["values"] == "[0, 10, 20]")
      if !isThreadSanitized { #expect(program["threads"] == "1") }
    }

    @Test("A plain task costs no more hops on one of two loops than on one that has the process")
    func costs() async throws {
      let program = try await program("loops-costs", "selector")
      #expect(program["one"]?.hasPrefix("[0, 0, 0, ") == true)
      #expect(program["two"] == program["one"])
    }

    @Test(
      "Two loops call one actor: nothing is lost, and tasks of createTask come back to their loop",
      arguments: kinds)
    func actors(kind: String) async throws {
      let program = try await program("loops-actors", kind)
      #expect(program["count"] == "true")
      #expect(program["kept strays"] == "0" && program["plain strays"] == "0")
    }

    @Test(
      "A shared value is made once, an error of it is everybody's, and one that is never made is an error",
      arguments: kinds)
    func shared(kind: String) async throws {
      let program = try await program("loops-shared", kind)
      #expect(program["values"] == #"["made by 0, Failure, 7"]"#)
      #expect(program["never made"] == #"["ended", "invalidState"]"#)
      #expect(program["another type"] == #"["text", "invalidState"]"#)
      #expect(program["alone"] == "[5]")
    }

    @Test(
      "A loop whose body has ended still works for the others; values, errors and cancellation go both ways",
      arguments: kinds)
    func runOn(kind: String) async throws {
      let program = try await program("loops-run-on", kind)
      #expect(program["there"] == "true" && program["back"] == "true")
      #expect(program["failure"] == "Failure")
      #expect(program["no such loop"] == "invalidArgument")
      #expect(program["cancelled"] == "CancellationError")
      #expect(program["notes"] == #"["began", "cleaned up"]"#)
    }

    @Test("The policy makes every loop, has each as current in its thread, and its scope is every body's")
    func policy() async throws {
      let program = try await HelperProgram.run("loops-policy")
      #expect(program["seen"] == "[true, true]")
      #expect(program["calls"] == #"["new", "new", "set(loop)", "set(loop)", "set(nil)", "set(nil)"]"#)
      #expect(program["unset"] == "noCurrentLoop")
    }

    @Test("One loop is an ordinary run; bad counts and a run inside of one are refused")
    func one() async throws {
      let program = try await HelperProgram.run("loops-one")
      for count in ["0", "-1", "1025"] { #expect(program[count] == "invalidArgument") }
      #expect(program["0 text"]?.contains("LoopGroup.availableProcessors") == true)
      #expect(program["made"] == "[]")
      #expect(program["values"] == "[true]" && program["processors"] == "true")
      #expect(program["inside"] == "anotherLoopRunning")
    }

    @Test("What plain tasks leave over goes on in the next run, of one loop or of several", arguments: kinds)
    func again(kind: String) async throws {
      let program = try await program("loops-again", kind)
      #expect(program["between"] == "[]")
      #expect(program["one loop"] == #"["parked on 0", "parked on 1", "slept on 0", "slept on 1"]"#)
      #expect(program["two"] == "[true, true]")
    }

    @Test(
      "Loops share a port: clients are served by both, on the loop that accepted them",
      arguments: ["listen", "serve-protocols", "datagrams"], kinds)
    func port(what: String, kind: String) async throws {
      let program = try await program("loops-\(what)", kind)
      #expect(program["answers"] == "[0, 1]")
      if what == "listen" { #expect(program["on their loops"] == "true") }
    }

    @Test("A shared port 0 is the same for every address; a taken port is an error on all; one loop shares with nobody")
    func ports() async throws {
      let program = try await HelperProgram.run("loops-ports")
      for name in ["same", "0 taken", "1 taken", "alone"] { #expect(program[name] == "true", "\(name)") }
    }

    @Test(
      "The first error cancels the other bodies and is thrown when they have ended; another one is reported",
      arguments: kinds)
    func fail(kind: String) async throws {
      let program = try await program("loops-fail", kind)
      #expect(program["ended with"] == "Failure: no coffee left")
      #expect(
        program["notes"]
          == #"["0 cleaned up", "2 cleaned up", "3 cleaned up", "told of: no tea left"]"#
      )
      #expect(program["value in time"] == "Failure: no coffee left")
    }

    @Test(
      "A body that is cancelled cancels the others; a loop that is stopped or interrupted takes them with it",
      arguments: kinds)
    func stopped(kind: String) async throws {
      let cancelled = try await program("loops-cancelled", kind)
      #expect(cancelled["ended with"] == "CancellationError: CancellationError()")
      let program = try await program("loops-stopped", kind)
      for index in 0..<2 {
        #expect(program["stopped \(index)"] == "stoppedBeforeCompletion")
        #expect(program["notes \(index)"] == #"["0 cleaned up", "1 cleaned up"]"#)
        #expect(program["interrupt \(index)"] == "KeyboardInterrupt: KeyboardInterrupt()")
      }
      #expect(program["again"] == "[0, 1]")
    }

    @Test("Ctrl-C cancels every body; a second one ends the runs, and what is left is awaited all the same")
    func interrupted() async throws {
      let once = try await HelperProgram.run("interrupt-loops")
      #expect(once["during"] == "a handler" && once["after"] == "default")
      #expect(once["ended with"] == "KeyboardInterrupt")
      #expect(once["notes"] == #"["0 cleaned up", "1 cleaned up", "2 cleaned up"]"#)
      let twice = try await HelperProgram.run("interrupt-loops-twice")
      #expect(twice["ended with"] == "KeyboardInterrupt" && twice["after"] == "default")
      #expect(twice["notes"] == #"["0 did not mind", "1 did not mind"]"#)
    }

    @Test("Tasks that are left over are cancelled and awaited while all loops turn", arguments: kinds)
    func leftovers(kind: String) async throws {
      let program = try await program("loops-leftovers", kind)
      let expected = (0..<2).flatMap { index in
        ["\(index) saw it end: true", "helper of \(index) cleaned up", "told of: no coffee left"]
      }
      #expect(program["notes"] == "\(expected.sorted())")
    }

    @Test("A loop that cannot be made is named, and the others are closed")
    func badFactory() async throws {
      let program = try await HelperProgram.run("loops-bad-factory")
      #expect(program["fails"] == "1: no coffee left")
      #expect(program["fails text"] == "loop 1 could not be started: no coffee left")
      #expect(program["same"] == "1: invalidArgument")
      #expect(program["closed"] == "1: closed")
      for name in ["fails", "same", "closed"] {
        #expect(program["\(name) closed"] == "true")
        #expect(program["\(name) body"] == nil)
      }
      #expect(program["descriptors"] == "0" && program["loops"] == "0")
      #expect(program["again"] == "[0, 1]")
    }

    @Test("A handler of a signal is called in the loop that added it", arguments: kinds)
    func signals(kind: String) async throws {
      #expect(try await program("loops-signals", kind)["places"] == "[true, true]")
    }

    @Test("Runs of several loops leave nothing behind: no descriptor, no thread, no object", arguments: kinds)
    func leaveNothing(kind: String) async throws {
      let program = try await program("loops-leave-nothing", kind)
      #expect(program["descriptors"] == "0" && program["threads"] == "0")
      #expect(program["counters"] == "same")
    }
  }
#endif
