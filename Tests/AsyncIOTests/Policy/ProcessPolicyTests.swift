#if os(Linux)
  import AsyncIO
  import Testing

  /// The policy of the process and the creation in its main thread. Each test has a process of its own: tests of one
  /// process run side by side and would see each other's policy.
  @Suite struct ProcessPolicyTests {
    @Test("A1: strict form, main thread, nothing set: an error that names the thread")
    func strictInMainThread() async throws {
      let program = try await HelperProgram.run("strict-in-main-thread")
      #expect(program["unset"] == "noCurrentLoop")
      #expect(program["unset text"]?.contains("main thread") == true)
      #expect(program["after new"] == "noCurrentLoop")
      #expect(program["set is current"] == "true")
      #expect(program["after set(nil)"] == "noCurrentLoop")
    }

    @Test("A2: main thread, set never called: one loop, made through the policy's own new and set, one warning")
    func createInMainThread() async throws {
      let program = try await HelperProgram.run("create-in-main-thread")
      #expect(program["same"] == "true")
      #expect(program["calls"] == #"["new", "set(loop)"]"#)
      #expect(program["runs"] == "7")
      #expect(program["closed stays current"] == "true")
      #expect(program["warnings"] == "1")
      #expect(program["warning"]?.hasPrefix("warning: deprecated: getEventLoop() made an event loop") == true)
    }

    @Test("A3: set(nil), then get: an error and no creation, also after a creation")
    func setNilEndsCreation() async throws {
      let program = try await HelperProgram.run("set-nil-ends-creation")
      #expect(program["get"] == "noCurrentLoop")
      #expect(program["calls"] == #"["set(nil)"]"#)
      #expect(program["get after creation"] == "noCurrentLoop")
    }

    @Test("A9 and A10: a replaced policy is seen by other threads; nil restores a fresh default of the platform")
    func processPolicy() async throws {
      let program = try await HelperProgram.run("process-policy")
      #expect(program["default kind"] == "DefaultEventLoopPolicy")
      #expect(program["seen here"] == "true")
      #expect(program["seen in another thread"] == "true")
      #expect(program["fresh"] == "true")
      #expect(program["fresh kind"] == "DefaultEventLoopPolicy")
      #expect(program["old context is gone"] == "true")
    }

    @Test("A11: the policy is replaced while a loop runs: the running loop is unchanged")
    func replacedWhileRunning() async throws {
      let program = try await HelperProgram.run("replace-while-running")
      #expect(program["running loop unchanged"] == "true")
      #expect(program["current loop unchanged"] == "true")
      #expect(program["policy not asked"] == "true")
      #expect(program["policy replaced"] == "true")
      #expect(program["went to its end"] == "true")
    }

    @Test("A16: the default policy makes the platform's loop; ASYNCIO_EVENT_LOOP picks another kind")
    func loopKind() async throws {
      for (value, backend) in [("", "epoll"), ("selector", "epoll"), ("poll", "poll")] {
        let program = try await HelperProgram.run("loop-kind", ["ASYNCIO_EVENT_LOOP": value])
        #expect(program["kind"] == "SelectorEventLoop")
        #expect(program["backend"] == backend, "\(value)")
        #expect(program["refusal"] == "none")
      }
    }

    @Test("ASYNCIO_EVENT_LOOP with a name nobody registered: an error with the name, the variable and the choices")
    func unknownLoopKind() async throws {
      let program = try await HelperProgram.run("loop-kind", ["ASYNCIO_EVENT_LOOP": "pool"])
      #expect(program["refusal"] == "invalidConfiguration")
      let text = program["refusal text"] ?? ""
      #expect(text.contains("ASYNCIO_EVENT_LOOP") && text.contains("\"pool\""))
      #expect(text.contains(program["names"]?.replacing(",", with: ", ") ?? "?"))
      #expect(program["kind"] == nil)
    }

    @Test("ASYNCIO_EVENT_LOOP is read once by a policy, and anew by the default that nil restores")
    func loopKindIsReadAnew() async throws {
      let program = try await HelperProgram.run("loop-kind-reread")
      #expect(program["before"] == "epoll")
      #expect(program["same policy"] == "epoll")
      #expect(program["after restore"] == "poll")
    }

    @Test("ASYNCIO_DEBUG turns debug mode on for new loops", arguments: [("1", true), ("0", false), ("", false)])
    func debug(_ value: String, _ expected: Bool) async throws {
      let program = try await HelperProgram.run("loop-kind", ["ASYNCIO_DEBUG": value])
      #expect(program["debug"] == "\(expected)")
    }

    @Test("A18: first use from 64 threads at once: one policy")
    func concurrentFirstUse() async throws {
      let program = try await HelperProgram.run("concurrent-first-use")
      #expect(program["asked"] == "64")
      #expect(program["policies"] == "1")
    }
  }
#endif
