#if os(Linux)
  import Testing

  extension RealComponents {
    /// Numbers from a caller: each entry point of the library, called with the extreme values of its types. A call that
    /// ends the process ends a helper's, and is named by what it said last.
    @Suite struct Numbers {
      static let topics = [
        "time", "loop", "streams", "listening", "sockets", "names", "transports", "servers", "embedding", "channels",
        "locks", "children", "loops",
      ]

      @Test("No number ends the process; what has no meaning is refused", arguments: LoopKind.allCases, topics)
      func extremes(kind: LoopKind, topic: String) async throws {
        expectGood(try await HelperProgram.runToEnd("numbers-\(topic)", ["ASYNCIO_EVENT_LOOP": kind.nameOfKind]))
      }

      @Test func simulation() async throws {
        expectGood(try await HelperProgram.runToEnd("numbers-simulation"))
      }

      private func expectGood(_ program: HelperProgram) {
        #expect(
          program.status == 0 && program["at"] == "the end",
          "ended with \(program.status) at \(program["at"] ?? "nothing"): \(program.standardError.prefix(500))")
        for (name, text) in program.facts where name.hasPrefix("wrong ") || name == "thrown" {
          Issue.record("\(text)")
        }
        #expect((program["calls"].flatMap { Int($0) } ?? 0) > 20)
      }

      /// The table of calls is complete: a new entry point with a number needs a call.
      @Test func everyEntryPoint() async throws {
        var called: Set<String> = []
        for topic in Self.topics + ["simulation"] {
          let program = try await HelperProgram.runToEnd("numbers-\(topic)")
          called.formUnion(program.facts.keys.filter { $0.hasPrefix("entry ") }.map { String($0.dropFirst(6)) })
        }
        let found = try NumericEntryPoints.all()
        #expect(found.count > 120, "the sources were not found")
        for name in found.subtracting(called).subtracting(NumericEntryPoints.exempt.keys).sorted() {
          Issue.record("\(name) takes a number, and no call in Tests/AsyncIOTestHelper/Numbers tries it")
        }
        // A word behind a name says which of its values are meant.
        let names = Set(called.map { String($0.prefix { $0 != " " }) })
        for name in names.subtracting(found).subtracting(NumericEntryPoints.others).sorted() {
          Issue.record("\(name) is called, and is not in the sources any more")
        }
        for name in NumericEntryPoints.exempt.keys.sorted() where !found.contains(name) {
          Issue.record("\(name) is exempt, and is not in the sources any more")
        }
      }
    }
  }
#endif
