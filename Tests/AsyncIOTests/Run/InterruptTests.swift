#if os(Linux)
  import AsyncIO
  import POSIX
  import Testing

  /// Ctrl-C and runs: each test has a process of its own.
  @Suite struct InterruptTests {
    private func program(_ name: String) async throws -> HelperProgram {
      try await HelperProgram.run("interrupt-\(name)")
    }

    @Test("174: the first signal cancels the body, which ends before the run does, and is thrown")
    func once() async throws {
      let program = try await program("once")
      #expect(program["before"] == "default" && program["during"] == "a handler")
      #expect(program["ended with"] == "KeyboardInterrupt")
      #expect(program["notes"] == #"["cleaned up"]"#)
      #expect(program["between"] == "default")
      #expect(program["again"] == "5")
    }

    @Test("A body that never waits is cancelled by it")
    func busy() async throws {
      let program = try await program("busy")
      #expect(program["ended with"] == "KeyboardInterrupt")
      #expect(program["notes"] == #"["CancellationError"]"#)
    }

    @Test("A process run also has the signal")
    func process() async throws {
      let program = try await program("process")
      #expect(program["during"] == "a handler")
      #expect(program["ended with"] == "KeyboardInterrupt")
      #expect(program["after"] == "default")
    }

    @Test("The third signal ends a program whose loop is blocked")
    func thrice() async throws {
      let program = try await HelperProgram.runToEnd("interrupt-thrice")
      #expect(program["after two"] == "default")
      #expect(program.status == -SIGINT)
    }

    @Test("A handler of the program gets the signal while it is there; without it the run has the signal again")
    func handled() async throws {
      let program = try await program("handled")
      #expect(program["notes"] == #"["handled"]"#)
      #expect(program["ended with"] == "KeyboardInterrupt")
      #expect(program["between"] == "default")
      #expect(program["kept"] == "value" && program["kept action"] == "a handler")
      #expect(program["after"] == "default")
    }

    @Test("A graceful stop has two signals; a third one is the run's again")
    func stopped() async throws {
      let program = try await program("stopped")
      #expect(program["signal"] == "true, forced: false")
      #expect(program["ended with"] == "KeyboardInterrupt")
      #expect(program["between"] == "default")
    }

    @Test("A run in another thread than the main one leaves the signal alone")
    func otherThread() async throws {
      let program = try await program("other-thread")
      #expect(program["other"] == "0" && program["during"] == "a handler")
      #expect(program["alone"] == "default")
    }

    @Test("A signal in the last turn of a run is not lost")
    func tooLate() async throws {
      #expect(try await program("too-late")["ended with"] == "KeyboardInterrupt")
    }

    @Test("A signal for the child of a fork ends the child and is not the parent's")
    func forked() async throws {
      let program = try await program("forked")
      #expect(program["in the child"] == "default")
      #expect(program["child ended by"] == "\(SIGINT)")
      #expect(program["ended with"] == "value")
    }

    @Test("An AsyncProgram that is interrupted ends by the signal")
    func endsProgram() async throws {
      let program = try await HelperProgram.runToEnd("interrupt-program")
      #expect(program.status == -SIGINT)
      #expect(program.standardError == "")
    }
  }
#endif
