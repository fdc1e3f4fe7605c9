#if os(Linux)
  import AsyncIOPrograms
  import CAsyncIO
  import POSIX
  import Testing

  @testable import AsyncIO

  /// What a process says of itself to others, in processes of their own: to be inspected is a state of the process.
  @Suite(.timeLimit(.minutes(5)))
  struct InspectionTests {
    // MARK: A loop that hangs

    @Test("A loop that hangs is shown with what it hangs in", arguments: ["callback", "task", "handler"])
    func culprit(kind: String) async throws {
      try await LoopKind.poll.run { _ in
        try await InspectedHelper.with("inspect-hanging-\(kind)") { helper in
          let loop = try #require(try await helper.report().loops.first)
          #expect(!loop.answers && loop.connections == nil && loop.timers == nil)
          #expect(loop.thread?.call == "read")
          let now = try #require(loop.now)
          switch kind {
          case "callback":
            #expect(now.what == "callback")
            #expect(try #require(now.place).hasPrefix("AsyncIOTestHelper/InspectionCases.swift:"))
          case "task":
            #expect(now.task == "culprit")
            #expect(try #require(now.place).hasPrefix("AsyncIOTestHelper/InspectionCases.swift:"))
            #expect(loop.tasks.shown.contains { $0.name == "culprit" && $0.state == "running" })
          default:
            let client = try #require(helper.facts["client"])
            // Without the knowledge whose job it is, it is a job.
            if RuntimeKnowledge.cancellationRecords.isInUse, RuntimeKnowledge.jobsOfTasks.isInUse {
              #expect(try #require(now.about).hasSuffix(" to \(client)"))
            }
          }
          let text = InspectionText.tasks(try await helper.report())
          #expect(text.contains("DOES NOT ANSWER: it has been in "))
        }
      }
    }

    @Test("A process that is stopped is said to be silent, after a limited time")
    func stopped() async throws {
      try await LoopKind.poll.run { _ in
        try await InspectedHelper.with("inspect-idle") { helper in
          let process = try helper.process
          try helper.child.sendSignal(SIGSTOP)
          await #expect(throws: InspectionError.silent(process.name, seconds: 1)) {
            try await process.report(limit: 1, patience: 1)
          }
        }
      }
    }

    // MARK: What is listed

    @Test(
      "Tasks, locks, connections with bytes, timers, pools, children and slow callbacks are listed",
      arguments: ["selector", "poll", "proactor"])
    func lists(loop: String) async throws {
      try await LoopKind.poll.run { _ in
        let environment = ["ASYNCIO_INSPECT": "1", "ASYNCIO_EVENT_LOOP": loop]
        try await InspectedHelper.with("inspect-works", environment) { helper in
          let report = try await helper.report()
          #expect(report.process.pid == Int(helper.child.processIdentifier))
          #expect(report.process.program == "AsyncIOTestHelper")
          let loop = try #require(report.loops.first)
          #expect(report.loops.count == 1 && loop.answers && loop.state == "running")
          #expect(loop.turns.count > 0 && loop.turns.busy > 0.1 && loop.turns.longest > 0.1)
          Self.check(tasks: loop)
          Self.check(rest: loop, helper)
          // Everything can be shown.
          for text in [InspectionText.all(report), InspectionText.tree(report)] { #expect(text.contains("holder")) }
        }
      }
    }

    private static func check(tasks loop: InspectionReport.Loop) {
      func task(_ name: String) -> InspectionReport.TaskEntry? { loop.tasks.shown.first { $0.name == name } }
      #expect(task("awaiting")?.waits?.what == "awaited")
      #expect(task("awaited")?.awaitedBy == [task("awaiting")?.id ?? 0])
      #expect(task("first")?.waits?.what == "a lock")
      for name in ["holder", "first", "second", "awaited", "server"] {
        #expect(task(name)?.state == "waiting", "\(name)")
        #expect(task(name)?.age != nil && task(name)?.place?.hasPrefix("AsyncIOTestHelper/") == true, "\(name)")
      }
      if RuntimeKnowledge.continuationAddresses.isInUse {
        #expect(task("holder")?.waits?.what == "a sleep")
        #expect(task("reader")?.waits?.what.hasPrefix("to read from 127.0.0.1:") == true)
      }
      #expect(task("server")?.waits?.what.hasPrefix("clients of 127.0.0.1:") == true)
      let lock = loop.locks.shown.first { $0.kind == "a lock" }
      #expect(lock?.owner == "holder" && lock?.waiters == ["first", "second"])
      #expect(lock?.place?.hasPrefix("AsyncIOTestHelper/") == true)
    }

    private static func check(rest loop: InspectionReport.Loop, _ helper: InspectedHelper) {
      let connections = loop.connections?.shown ?? []
      let port = helper.facts["port"] ?? ""
      #expect(connections.contains { $0.kind == "listener" && $0.local == "127.0.0.1:\(port)" })
      let client = connections.first { $0.kind == "stream" && $0.peer == "127.0.0.1:\(port)" }
      #expect(client?.received == 1000 && (client?.sent ?? 0) >= 1000)
      #expect(loop.timers?.shown.contains { $0.what == "a callback" && $0.place != nil } == true)
      #expect(loop.timers?.shown.contains { $0.what == "a sleep" } == true)
      #expect(loop.pool?.threads == 1 && loop.pool?.idle == 0)
      #expect(loop.children.shown.map { "\($0.pid)" } == [helper.facts["child"]])
      #expect(loop.slow.contains { $0.what.hasPrefix("the callback made at AsyncIOTestHelper/") && $0.took > 0.1 })
    }

    @Test("Of thousands of tasks as many are listed as were asked for, and all are counted")
    func bounded() async throws {
      try await LoopKind.poll.run { _ in
        try await InspectedHelper.with("inspect-many") { helper in
          let loop = try #require(try await helper.report(limit: 10).loops.first)
          #expect(loop.tasks.count == 5001 && loop.tasks.shown.count == 10)
          #expect(loop.timers?.count == 5000 && loop.timers?.shown.count == 10)
          #expect(try await helper.report(limit: 10_000).loops[0].tasks.shown.count == 5001)
        }
      }
    }

    // MARK: Who may look, and when

    @Test("A process is not inspected unless it is asked to be")
    func off() async throws {
      try await LoopKind.poll.run { _ in
        try await InspectedHelper.with("inspect-idle", [:]) { helper in
          let number = Int64(helper.child.processIdentifier)
          #expect(throws: InspectionError.notInspected(number)) { try helper.process }
        }
      }
    }

    @Test("A signal makes it offer inspection, and a call does, once, and takes it back")
    func asked() async throws {
      try await LoopKind.poll.run { _ in
        try await InspectedHelper.with("inspect-idle", ["ASYNCIO_INSPECT": "SIGUSR2"]) { helper in
          #expect(throws: InspectionError.self) { try helper.process }
          try helper.child.sendSignal(SIGUSR2)
          while (try? helper.process) == nil { try await sleep(for: .zero) }
          // The socket's file is there a moment before it listens.
          var report: InspectionReport?
          while report == nil { report = try? await helper.report() }
          #expect(report?.loops.count == 1)
        }
        try await InspectedHelper.with("inspect-late", [:]) { helper in
          let path = try #require(helper.facts["path"])
          #expect(helper.facts["again"] == path)
          #expect(try await InspectedProcess("unix:\(path)").report(limit: 1).loops.count == 1)
        }
      }
    }

    @Test("Another user gets no answer, even past the rights on the directory", .enabled(if: geteuid() == 0))
    func foreign() async throws {
      let directory = makeTemporary { mkdtemp($0) }.path
      defer {
        rmdir("\(directory)/asyncio")
        rmdir(directory)
      }
      chmod(directory, 0o755)
      let program = try await HelperProgram.run("inspect-as-another-user", ["XDG_RUNTIME_DIR": directory])
      #expect(program["answer"] == "0" || program["answer"] == "an error")
    }

    @Test("A process without a loop has none to show, and its socket goes with it")
    func noLoop() async throws {
      try await LoopKind.poll.run { _ in
        var number: Int32 = 0
        try await InspectedHelper.with("inspect-no-loop", [:]) { helper in
          number = helper.child.processIdentifier
          let report = try await helper.report()
          #expect(report.loops.isEmpty && InspectionText.tasks(report).hasSuffix(": no event loop"))
        }
        #expect(InspectionDirectory.find(process: Int64(number), of: InspectionDirectory.currentUser) == nil)
      }
    }

    @Test("A number of nothing, a process that is gone and one without this library are refused with the reason")
    func refusals() async throws {
      try await LoopKind.poll.run { _ in
        for text in ["", "x", "-1", "0", "99999999999999999999"] {
          #expect(throws: InspectionError.notAProcess(text)) { try InspectedProcess(text) }
        }
        #expect(throws: InspectionError.noProcess(4_000_000_000)) { try InspectedProcess("4000000000") }
        let child = try await ChildProcess.spawn("sleep", ["3600"])
        let number = Int64(child.processIdentifier)
        #expect(throws: InspectionError.notInspected(number)) { try InspectedProcess("\(number)") }
        // A socket that a process of the same number has left behind.
        let directory = try InspectionDirectory.prepare()
        let path = InspectionDirectory.socket(of: number, in: directory)
        let listener = try await StreamListener.bind(unixPath: path, cleanupSocket: false)
        listener.close()
        let stale = try InspectedProcess("\(number)")
        await #expect(throws: InspectionError.stale("\(number)")) { try await stale.report(limit: 1) }
        unlink(path)
        try child.kill()
        _ = try await child.wait()
      }
    }

    @Test("What is not a report is refused: another program's words, another version's, an error's")
    func answers() async throws {
      #expect(throws: InspectionError.unreadable("7")) { try InspectedProcess.read("hello", "7") }
      #expect(throws: InspectionError.unreadable("7")) { try InspectedProcess.read("{\"format\": 1}", "7") }
      #expect(throws: InspectionError.otherFormat("7", 2)) { try InspectedProcess.read("{\"format\": 2}", "7") }
      #expect(throws: InspectionError.says("7", "no")) { try InspectedProcess.read("{\"error\": \"no\"}", "7") }
    }

    @Test("Clients that say nothing, say something else, or do not read cost others nothing")
    func slowClients() async throws {
      try await LoopKind.poll.run { _ in
        try await InspectedHelper.with("inspect-late", [:]) { helper in
          let path = try #require(helper.facts["path"])
          var silent: [StreamConnection] = []
          for _ in 0..<6 { silent.append(try await .connect(unixPath: path)) }
          for request in [
            "what\n", "snapshot x\n", "snapshot 0\n", "snapshot 1 2\n", String(repeating: "x", count: 70),
          ] {
            let client = try await StreamConnection.connect(unixPath: path)
            try await client.write(request)
            #expect(String(decoding: try await client.readToEnd(), as: UTF8.self).hasPrefix("{\"error\": "))
            client.close()
          }
          let mute = try await StreamConnection.connect(unixPath: path)
          try await mute.write("snapshot 10\n")
          #expect(try await helper.report().loops.count == 1)
          for client in silent + [mute] { client.close() }
        }
      }
    }

    @Test("A directory that others may enter, or that is none, is not used", arguments: ["open", "file", "link"])
    func directories(kind: String) async throws {
      let parent = makeTemporary { mkdtemp($0) }.path
      let path = "\(parent)/asyncio"
      switch kind {
      case "open": mkdir(path, 0o755)
      case "file": close(open(path, O_CREAT | O_WRONLY, 0o700))
      default: symlink("/tmp", path)
      }
      defer {
        remove(path)
        rmdir(parent)
      }
      #expect(casyncio_private_directory(path) == -Int64(kind == "open" ? EPERM : ENOTDIR))
      // It is left as it is.
      #expect(casyncio_make_private_directory(path) == 0)
      #expect(casyncio_private_directory(path) < 0)
    }
  }
#endif
