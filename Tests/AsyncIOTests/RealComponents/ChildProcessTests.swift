#if os(Linux)
  import CAsyncIO
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// How children are started, and what is reported about their end.
    @Suite struct ChildProcesses {
      @Test("Exit statuses and deaths by a signal, for many who wait", arguments: LoopKind.allCases, Watching.allCases)
      func statuses(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            for status in [0, 1, 77, 255] as [Int32] {
              let child = try await ChildProcess.spawn(shell: "exit \(status)")
              #expect(try await child.wait() == .exited(status))
              #expect(child.terminationStatus?.returnCode == status)
              #expect(try await child.wait().isSuccess == (status == 0), "again")
              #expect(isReaped(child.processIdentifier))
            }
            let child = try await ChildProcess.spawn("cat", standardInput: .pipe)
            let waiting = try (0..<3).map { _ in try loopTask { try await child.wait() } }
            let gone = try loopTask { try await child.wait() }
            gone.cancel()
            _ = try await failure(CancellationError.self) { _ = try await gone.value }
            #expect(child.terminationStatus == nil)
            #expect(try child.terminate())
            for task in waiting { #expect(try await task.value == .signaled(SIGTERM)) }
            #expect(child.terminationStatus?.returnCode == -15)
            #expect(try !child.kill(), "after the end it does nothing")
            #expect(try !child.sendSignal(0))
          }
        }
      }

      @Test("A child that ignores SIGTERM is killed", arguments: LoopKind.allCases, Watching.allCases)
      func stubborn(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            let child = try await ChildProcess.spawn(
              shell: "trap '' TERM; echo ready; read line; echo $line", standardInput: .pipe, standardOutput: .pipe)
            #expect(try await child.standardOutput!.readLine() == "ready")
            try child.terminate()
            expectRefusal(.invalidArgument) { try child.sendSignal(1000) }
            try await child.standardInput!.write("alive\n")
            #expect(try await child.standardOutput!.readLine() == "alive")
            try child.kill()
            let status = try await child.wait()
            #expect(status == .signaled(SIGKILL) || status == .exited(0), "it may be faster")
          }
        }
      }

      @Test("200 children at once", arguments: LoopKind.allCases, Watching.allCases)
      func many(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            try await withThrowingTaskGroup(of: Bool.self) { group in
              for number in 0..<200 as Range<Int32> {
                group.addTask {
                  let child = try await ChildProcess.spawn("/bin/sh", ["-c", "exit \(number)"])
                  return try await child.wait() == .exited(number) && isReaped(child.processIdentifier)
                }
              }
              for try await isRight in group { #expect(isRight) }
            }
          }
        }
      }

      @Test("A status that somebody else took is 255, with a warning", arguments: LoopKind.allCases, Watching.allCases)
      func reapedElsewhere(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { loop in
          let log = CapturedLog(of: loop)
          try await watching {
            let child = try await ChildProcess.spawn("cat", standardInput: .pipe)
            let process = child.processIdentifier
            child.standardInput!.close()
            // Before the loop can: it is this thread.
            var status: Int32 = 0
            #expect(waitpid(process, &status, 0) == process)
            #expect(try await child.wait() == .lost)
            #expect(child.terminationStatus?.returnCode == 255)
            #expect(try !child.kill())
          }
          #expect(log.messages.contains { $0.contains("was taken by other code") })
        }
      }

      @Test("What cannot be started is an error, and leaves no child and no descriptor", arguments: LoopKind.allCases)
      func failures(kind: LoopKind) async throws {
        try await kind.run { _ in
          func error(_ body: () async throws -> ChildProcess) async throws -> IOError {
            try await failure(IOError.self) { _ = try await body() }
          }
          #expect(try await error { try await .spawn("no-such-program") }.errno == .noSuchFileOrDirectory)
          #expect(try await error { try await .spawn("/no/such/program") }.errno == .noSuchFileOrDirectory)
          #expect(try await error { try await .spawn("/etc/passwd") }.errno == .permissionDenied)
          #expect(try await error { try await .spawn("/etc/passwd/x") }.errno == .notDirectory)
          let directory = try await error { try await .spawn("true", workingDirectory: "/no/such") }
          #expect(directory.errno == .noSuchFileOrDirectory && directory.description.contains("working directory"))
          let large = String(repeating: "x", count: 200_000)
          #expect(try await error { try await .spawn("true", [large]) }.errno == .argListTooLong)
          func refusal(_ body: () async throws -> ChildProcess) async throws -> EventLoopError.Code {
            try await failure(EventLoopError.self) { _ = try await body() }.code
          }
          #expect(try await refusal { try await .spawn("") } == .invalidArgument)
          #expect(try await refusal { try await .spawn("tr\0ue") } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", ["a\0b"]) } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", environment: ["A=B": ""]) } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", environment: ["": ""]) } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", environment: ["A": "\0"]) } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", workingDirectory: "") } == .invalidArgument)
          #expect(try await refusal { try await .spawn("true", standardInput: .descriptor(-2)) } == .invalidArgument)
        }
        let outside = try await failure(EventLoopError.self) { _ = try await ChildProcess.spawn("true") }
        #expect(outside.code == .noRunningLoop)
      }

      @Test("Environment, working directory and search path", arguments: LoopKind.allCases)
      func surroundings(kind: LoopKind) async throws {
        try await kind.run { _ in
          let variables = try await ChildProcess.run("/usr/bin/env", environment: ["A": "1 = 2", "B": ""])
          #expect(Set(variables.text.split(separator: "\n")) == ["A=1 = 2", "B="])
          let inherited = try await ChildProcess.run("env")
          #expect(inherited.text.contains("PATH="))
          #expect(ChildProcess.inheritedEnvironment["PATH"] != nil)
          let place = try await ChildProcess.run("pwd", workingDirectory: "/usr")
          #expect(place.text == "/usr\n")

          // The child's PATH counts, what may not be executed is passed over, and relative paths are the child's.
          let (directory, _) = makeTemporary { mkdtemp($0) }
          defer { _ = system("rm -r \(directory)") }
          #expect(
            system(
              """
              cd \(directory); mkdir a b; printf '#!/bin/sh\\necho found' > b/program; chmod +x b/program
              printf 'no' > a/program; mkdir a/folder
              """) == 0)
          let found = try await ChildProcess.run(
            "program", environment: ["PATH": "/no/such:\(directory)/a:\(directory)/b"])
          #expect(found.text == "found\n")
          #expect(try await ChildProcess.run("b/program", workingDirectory: directory).text == "found\n")
          let relative = try await ChildProcess.run(
            "program", environment: ["PATH": "b"], workingDirectory: directory)
          #expect(relative.text == "found\n")
          let denied = try await failure(IOError.self) {
            _ = try await ChildProcess.run("program", environment: ["PATH": "\(directory)/a:/no/such"])
          }
          #expect(denied.errno == .permissionDenied)
        }
      }

      @Test("A child has no blocked or ignored signal of ours, and no descriptor", arguments: LoopKind.allCases)
      func clean(kind: LoopKind) async throws {
        try await kind.run { _ in
          let stray = open("/dev/null", O_RDONLY)
          defer { _ = CAsyncIO.close(stray) }
          let child = try await ChildProcess.run("grep", ["-E", "SigBlk|SigIgn", "/proc/self/status"])
          for line in child.text.split(separator: "\n") {
            let mask = try #require(UInt64(line.split(separator: "\t").last ?? "", radix: 16))
            // Of what the tests' own parent ignores nothing is said here, but for SIGPIPE.
            if line.hasPrefix("SigBlk") { #expect(mask == 0) } else { #expect(mask & 1 << (13 - 1) == 0) }
          }
          let open = try await ChildProcess.run("ls", ["/proc/self/fd"])
          // The fourth is the directory that ls reads.
          #expect(open.text == "0\n1\n2\n3\n")
          let endless = try await ChildProcess.run(shell: "yes | head -n 1")
          #expect(endless.text == "y\n")
        }
      }

      @Test("A group of its own goes with the child", arguments: LoopKind.allCases, Watching.allCases)
      func groups(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            for group in [ChildProcess.ProcessGroup.new, .newSession] {
              let child = try await ChildProcess.spawn(
                shell: "exec 3<&0; cat <&3 & echo ready; wait", standardInput: .pipe, standardOutput: .pipe,
                processGroup: group)
              let output = try #require(child.standardOutput)
              #expect(try await output.readLine() == "ready")
              #expect(getpgid(child.processIdentifier) == child.processIdentifier)
              #expect((getsid(child.processIdentifier) == child.processIdentifier) == (group == .newSession))
              child.watch.kill()
              #expect(try await child.wait() == .signaled(SIGKILL))
              #expect(try await output.readToEnd() == [], "the grandchild is also gone")
            }
          }
        }
      }
    }
  }
#endif
