#if os(Linux)
  import POSIX
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// If the system refuses a resource, the caller gets an error that says what to do, code that does not need the
    /// resource goes on, and afterwards everything works. Each run has a process of its own.
    @Suite(.timeLimit(.minutes(5)))
    struct Limits {
      private static func environment(_ kind: LoopKind, _ limit: String = "threads") -> [String: String] {
        let name = kind == .epoll ? "selector" : kind.rawValue
        return ["ASYNCIO_EVENT_LOOP": name, "LIMIT": limit]
      }

      /// What each entry point says with everything that it needs.
      private static let well = [
        "toThread": "1", "runInExecutor": "1", "getaddrinfo": "found", "getnameinfo": "http",
        "connect by name": "connected", "connect by address": "connected", "bind": "bound", "datagrams": "bound",
        "child": "exited with status 0", "child watched by a thread": "exited with status 0",
        "child with pipes": "exited with status 0",
        "signal handler": "called: true", "new loop": "made", "run of another loop": "5", "timer": "slept",
      ]
      /// Those that need a thread.
      private static let byThreads: Set = [
        "toThread", "runInExecutor", "getaddrinfo", "getnameinfo", "connect by name", "child",
        "child watched by a thread", "child with pipes", "signal handler", "run of another loop",
      ]
      /// Those that open a descriptor in any case.
      private static let byDescriptors: Set = [
        "connect by name", "connect by address", "bind", "datagrams", "child", "child watched by a thread",
        "child with pipes", "signal handler", "new loop", "run of another loop",
      ]

      private func expectWell(_ program: HelperProgram, prefix: String = "", except: Set<String> = []) {
        for (name, value) in Self.well where !except.contains(name) {
          // The service of port 80 has a name where the system has a list of them.
          let saw = program[prefix + name]
          #expect(saw == value || (name == "getnameinfo" && saw == "80"), "\(prefix)\(name): \(saw ?? "nothing")")
        }
      }

      @Test("No thread: every entry point that needs one says so, the others go on", arguments: LoopKind.allCases)
      func threads(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-sweep", Self.environment(kind))
        try #require(program["refuses"] == "true")
        for name in Self.byThreads {
          let text = program[name] ?? "nothing"
          #expect(text.hasPrefix("IOError 11: "), "\(name): \(text)")
          #expect(text.contains("ulimit -u"), "\(name): \(text)")
        }
        expectWell(program, except: Self.byThreads)
        expectWell(program, prefix: "again: ")
        #expect(program["ended"] == "true")
      }

      @Test(
        "No memory for a thread or a mapping: errors, or it works, and never the end",
        .enabled(if: !isAddressSanitized),
        .enabled(if: !isThreadSanitized), arguments: LoopKind.allCases)
      func memory(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-sweep", Self.environment(kind, "memory"))
        try #require(program["refuses"] == "true")
        for (name, value) in Self.well {
          let text = program[name] ?? "nothing"
          let isRefused = text.hasPrefix("IOError 11: ") && text.contains("ulimit -v")
          let isWithoutMemory = text.hasPrefix("IOError 12: ")
          #expect(
            text == value || isRefused || isWithoutMemory || (name == "getnameinfo" && text == "80"), "\(name): \(text)"
          )
        }
        expectWell(program, prefix: "again: ")
        #expect(program["ended"] == "true")
      }

      @Test("No descriptor: every entry point that opens one says so, the others go on", arguments: LoopKind.allCases)
      func descriptors(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-sweep", Self.environment(kind, "descriptors"))
        for name in Self.byDescriptors {
          let text = program[name] ?? "nothing"
          // The resolver has a word of its own for it.
          let isNamed = text.hasPrefix("IOError 24: ") && text.contains("ulimit -n")
          #expect(isNamed || (name == "connect by name" && text.hasPrefix("ResolutionError")), "\(name): \(text)")
        }
        expectWell(program, except: Self.byDescriptors.union(["getaddrinfo", "getnameinfo"]))
        expectWell(program, prefix: "again: ")
        #expect(program["ended"] == "true")
        #expect(
          program["again: process descriptors"] == "\(ChildWatching.hasProcessDescriptors)",
          "a system that is short of descriptors is asked again")
        if LoopKind.hasProactor {
          #expect(program["ring"] != "made")
          #expect(program["again: ring"] == "made", "a ring that was refused once is asked for again")
        }
      }

      @Test(
        "Several loops: the one without a thread is named, and a run of one needs none", arguments: LoopKind.allCases)
      func loops(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-run", Self.environment(kind))
        #expect(program["loops"]?.hasPrefix("loop 1 could not be started: ") == true, "\(program["loops"] ?? "")")
        #expect(program["loops"]?.contains("ulimit -u") == true, "\(program["loops"] ?? "")")
        #expect(program["run"] == "1")
        #expect(program["loops again"] == "[1, 1]")
      }

      @Test(
        "Loops that the system refuses leave no memory behind",
        .enabled(if: !isAddressSanitized && !isThreadSanitized, "their allocators keep what was freed"),
        arguments: LoopKind.allCases)
      func refusedLoops(kind: LoopKind) async throws {
        await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
          func refuse(times: Int) {
            let before = DescriptorLimit.lower(to: 3)
            defer { DescriptorLimit.set(before) }
            for _ in 0..<times { #expect(throws: (any Error).self) { try kind.makeLoop() } }
          }
          // What is made once is made.
          try kind.makeLoop().close()
          refuse(times: 100)
          let before = try Self.residentPages()
          refuse(times: 2000)
          let pages = try Self.residentPages() - before
          #expect(pages < 500, "\(pages) pages for 2000 loops")
        }
      }

      /// How much memory this process has, in pages.
      private static func residentPages() throws -> Int {
        let file = try #require(fopen("/proc/self/statm", "r"))
        defer { fclose(file) }
        var (size, resident) = (0, 0)
        let read = withUnsafeMutablePointer(to: &size) { size in
          withUnsafeMutablePointer(to: &resident) { resident in
            withVaList([size, resident]) { vfscanf(file, "%ld %ld", $0) }
          }
        }
        try #require(read == 2)
        return resident
      }

      @Test("A run without descriptors is an error", arguments: LoopKind.allCases)
      func run(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-run", Self.environment(kind, "descriptors"))
        #expect(program["run"]?.contains("ulimit -n") == true, "\(program["run"] ?? "")")
        #expect(program["loops again"] == "[1, 1]")
      }

      @Test("A pool that has a thread lets all work wait for it", arguments: LoopKind.allCases)
      func pool(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-pool", Self.environment(kind))
        try #require(program["refuses"] == "true")
        #expect(program["waiting"] == "20")
        #expect(program["values"] == "190")
      }

      @Test("Jobs of an actor whose loop is closed run without a thread of their own", arguments: LoopKind.allCases)
      func lateJobs(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-late-jobs", Self.environment(kind))
        try #require(program["refuses"] == "true")
        #expect(program["largest"] == "50")
        #expect(program["next"] == "51")
      }

      @Test("So they do where no loop runs")
      func lateJobsWithoutLoop() async throws {
        let program = try await HelperProgram.run("limit-late-jobs-without-loop", Self.environment(.poll))
        try #require(program["refuses"] == "true")
        #expect(program["count"] == "21")
      }

      @Test("A child whose loop is closed is killed and its status taken", arguments: LoopKind.allCases)
      func childLeft(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-child-left", Self.environment(kind))
        try #require(program["refuses"] == "true")
        #expect(program["is gone"] == "true")
      }

      @Test("A child that may not be killed is checked again with the next one", arguments: LoopKind.allCases)
      func childAlive(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-child-alive", Self.environment(kind))
        guard program["is possible"] == "true" else { return }
        try #require(program["refuses"] == "true")
        #expect(program["may be killed"] == "false")
        #expect(program["is gone"] == "true")
      }

      @Test(
        "A child that no thread can wait for ends at once",
        .enabled(if: !isAddressSanitized && !isThreadSanitized), arguments: LoopKind.allCases)
      func childUnwatched(kind: LoopKind) async throws {
        let program = try await HelperProgram.run("limit-child-unwatched", Self.environment(kind))
        try #require(program["refuses"] == "true")
        #expect(program["child"]?.hasPrefix("IOError 1") == true, "\(program["child"] ?? "nothing")")
        #expect(program["has children"] == "false")
      }
    }
  }
#endif
