#if os(Linux)
  import CAsyncIO
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// The standard streams of children.
    @Suite struct ChildStreams {
      @Test("A megabyte both ways", arguments: LoopKind.allCases, Watching.allCases)
      func communicate(kind: LoopKind, watching: Watching) async throws {
        try await kind.run { _ in
          try await watching {
            let child = try await ChildProcess.spawn(
              shell: "tee /dev/stderr", standardInput: .pipe, standardOutput: .pipe, standardError: .pipe)
            let bytes = numbered(0..<1 << 20)
            let (output, error) = try await child.communicate(bytes)
            #expect(output == bytes)
            #expect(error == bytes)
            #expect(child.terminationStatus == .exited(0))
          }
        }
      }

      @Test("A child that does not read its input is not an error; a limit is one", arguments: LoopKind.allCases)
      func communicateEdges(kind: LoopKind) async throws {
        try await kind.run { _ in
          let deaf = try await ChildProcess.spawn(shell: "echo deaf", standardInput: .pipe, standardOutput: .pipe)
          let (output, _) = try await deaf.communicate(numbered(0..<1 << 20))
          #expect(output == Array("deaf\n".utf8))

          // The other stream is not read any more either, so the child hangs; `scoped` ends it.
          let loud = try await ChildProcess.spawn(
            shell: "yes >&2 & yes", standardInput: .pipe, standardOutput: .pipe, standardError: .pipe,
            processGroup: .new)
          let overrun = try await failure(LimitOverrunError.self) {
            _ = try await loud.scoped { try await $0.communicate(limit: 100_000) }
          }
          #expect(overrun.limit == 100_000)
          #expect(loud.terminationStatus == .signaled(SIGKILL))
          let mute = try await ChildProcess.spawn("true")
          let refusal = try await failure(EventLoopError.self) { _ = try await mute.communicate("x") }
          #expect(refusal.code == .invalidArgument)
          let (nothing, noError) = try await mute.communicate()
          #expect(nothing.isEmpty && noError.isEmpty)
        }
      }

      @Test("Standard streams: null, merged, descriptors, swapped", arguments: LoopKind.allCases)
      func streams(kind: LoopKind) async throws {
        try await kind.run { _ in
          let merged = try await ChildProcess.run(
            "sh", ["-c", "echo out; echo err >&2; cat"], input: Array("in".utf8), standardError: .output)
          #expect(merged.text == "out\nerr\nin")
          let silent = try await ChildProcess.spawn(
            shell: "cat; echo x; echo y >&2", standardInput: .null, standardOutput: .null, standardError: .null)
          #expect(try await silent.wait() == .exited(0))
          #expect(silent.standardInput == nil && silent.standardOutput == nil && silent.standardError == nil)

          let (first, second) = (try makePipe(), try makePipe())
          let child = try await ChildProcess.spawn(
            shell: "echo out; echo err >&2", standardOutput: .descriptor(first.write),
            standardError: .descriptor(second.write))
          try await child.wait()
          for (ends, text) in [(first, "out"), (second, "err")] {
            _ = CAsyncIO.close(ends.write)
            let reader = try PipeReader(owning: ends.read)
            #expect(try await reader.readToEnd() == Array("\(text)\n".utf8))
            reader.close()
          }
          let dead = try await failure(IOError.self) {
            _ = try await ChildProcess.spawn("true", standardInput: .descriptor(19_999))
          }
          #expect(dead.errno == .badFileDescriptor)
        }
      }

      @Test("A grandchild that keeps the pipe: wait() returns, the pipe streams on", arguments: LoopKind.allCases)
      func grandchild(kind: LoopKind) async throws {
        try await kind.run { _ in
          let other = try await ChildProcess.spawn(
            shell: "exec 3<&0; (read line <&3; echo late $line) & echo $!; exit 3", standardInput: .pipe,
            standardOutput: .pipe)
          let output = try #require(other.standardOutput)
          let grandchild = try #require(try await output.readLine())
          #expect(!grandchild.isEmpty)
          #expect(try await other.wait() == .exited(3))
          try await other.standardInput!.write("word\n")
          #expect(try await output.readLine() == "late word")
          #expect(try await output.readLine() == nil)
        }
      }
    }
  }
#endif
