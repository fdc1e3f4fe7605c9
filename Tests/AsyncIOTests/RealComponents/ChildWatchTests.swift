#if os(Linux)
  import CAsyncIO
  import POSIX
  import SystemPackage
  import Testing

  @testable import AsyncIO

  extension RealComponents {
    /// Children that a thread has to watch, because nothing else can.
    @Suite(.timeLimit(.minutes(5)))
    struct ChildWatches {
      /// What does not tell when a child ends.
      enum Mute: String, CaseIterable, CustomTestStringConvertible {
        /// It says so at once, as the descriptor of a child does that ended under a debugger.
        case tooEarly
        /// Epoll refuses it.
        case unwatchable
        var testDescription: String { rawValue }

        func open() throws -> Int32 {
          if self == .unwatchable { return unnamedFile() }
          let ends = try makePipe()
          _ = CAsyncIO.close(ends.write)
          return ends.read
        }
      }

      @Test(
        "A descriptor that does not say when is given up, and a thread waits", arguments: LoopKind.allCases,
        Mute.allCases)
      func mute(kind: LoopKind, mute: Mute) async throws {
        try await kind.run { loop in
          let request = SpawnRequest(
            program: "cat", arguments: [], environment: nil, workingDirectory: nil, input: .pipe, output: .null,
            error: .inherit, processGroup: .inherit)
          var child = try request.start()
          _ = CAsyncIO.close(child.watch)
          (child.watch, child.watchesProcess) = (try mute.open(), false)
          let (process, input) = (child.process, child.input)
          let watch = ChildWatch(child, on: loop)
          let ended = Flag()
          watch.whenEnded { ended.set() }
          for _ in 0..<3 { try await sleep(for: .zero) }
          #expect(watch.status == nil && !ended.isSet)
          // Its end.
          _ = CAsyncIO.close(input)
          try await turnUntil(turns: 100_000) { ended.isSet }
          #expect(watch.status == .exited(0))
          #expect(isReaped(process))
        }
      }

      /// How process descriptors are refused.
      enum Refusal: String, CaseIterable, CustomTestStringConvertible {
        /// All of them, as sandboxes and old systems do.
        case all
        /// Only those of children, behind a probe that went well.
        case children
        var testDescription: String { rawValue }
      }

      @Test(
        "Without process descriptors threads watch the children", arguments: LoopKind.allCases, Refusal.allCases)
      func withoutDescriptors(kind: LoopKind, refusal: Refusal) async throws {
        let program = try await HelperProgram.run(
          "children-without-descriptors", ["ASYNCIO_EVENT_LOOP": kind.nameOfKind, "REFUSED": refusal.rawValue])
        guard program["is possible"] == "true" else { return }
        #expect(program["process descriptors"] == "\(refusal == .children)")
        #expect(program["descriptor of a child"] == "refused")
        #expect(program["status"] == "exited with status 7")
        #expect(program["output"] == "hello")
        #expect(program["signal"] == "ended by signal 9")
        #expect(program["closed"] == "ended by signal 9")
        #expect(program["children left"] == "0")
        #expect(program["descriptors left"] == "0")
      }
    }
  }
#endif
