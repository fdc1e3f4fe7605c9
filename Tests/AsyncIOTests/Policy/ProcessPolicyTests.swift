#if os(Linux)
  import AsyncIO
  import Testing

  /// The policy of the process and the creation in its main thread. Each test has a process of its own: tests of one
  /// process run side by side and would see each other's policy.
  @Suite struct ProcessPolicyTests {
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
  }
#endif
