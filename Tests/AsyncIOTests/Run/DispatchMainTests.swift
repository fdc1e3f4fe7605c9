#if os(Linux)
  import Testing

  /// The main queue of Dispatch in a process that a loop has.
  @Suite struct DispatchMainTests {
    private func run(_ name: String, _ kind: LoopKind = .epoll, _ more: [String: String] = [:]) async throws
      -> HelperProgram
    {
      try await HelperProgram.run(name, ["ASYNCIO_EVENT_LOOP": kind.commandName].merging(more) { $1 })
    }

    @Test("Blocks run in the loop, in its thread, as the main actor's", arguments: LoopKind.allCases)
    func blocks(kind: LoopKind) async throws {
      let program = try await run("dispatch-main", kind)
      for fact in ["on the main thread", "in the loop", "nested", "notified", "awaited"] {
        #expect(program[fact] == "true", "\(fact)")
      }
      #expect(program["counted"] == "4001")
    }

    @Test("A block that was queued before the run is run in it", arguments: LoopKind.allCases)
    func early(kind: LoopKind) async throws {
      let program = try await run("dispatch-main-early", kind)
      #expect(program["before"] == "[]")
      #expect(program["notes"] == #"["early"]"#)
    }

    @Test("Sources on the main queue fire: timers and signals", arguments: LoopKind.allCases)
    func sources(kind: LoopKind) async throws {
      let program = try await run("dispatch-main-source", kind)
      #expect(program["timer"] == "true")
      #expect(program["signal"] == "true")
    }

    @Test("Between two runs blocks wait, and runs leave no descriptor behind", arguments: LoopKind.allCases)
    func twoRuns(kind: LoopKind) async throws {
      let program = try await run("dispatch-main-two-runs", kind)
      #expect(program["before"] == "[]")
      #expect(program["after"] == #"["between"]"#)
      #expect(program["descriptors"] == "0")
    }

    @Test("With several loops, the loop of the main thread serves it", arguments: LoopKind.allCases)
    func loops(kind: LoopKind) async throws {
      #expect(try await run("dispatch-main-loops", kind)["places"] == "[true, true]")
    }

    @Test("A scoped run leaves it alone, and so does every run if the environment says so")
    func notServed() async throws {
      #expect(try await run("dispatch-main-scoped")["notes"] == "[]")
      #expect(try await run("dispatch-main-off", .epoll, ["ASYNCIO_DISPATCH_MAIN": "0"])["notes"] == "[]")
    }

    @Test("Dispatch is not asked for its queue if it would get no descriptor, or that of a standard stream")
    func descriptors() async throws {
      let program = try await run("dispatch-main-no-descriptors")
      #expect(program["run"] == "7")
      #expect(program["later"] == "served")
      #expect(try await run("dispatch-main-standard-number")["descriptor 0"] == "free")
    }
  }
#endif
