#if os(Linux)
  import Testing

  extension RealComponents {
    /// The program `CompletionPortConformance` holds the completion port to the rules in its header, with all that the
    /// kernel has, without each optional feature, and with queues and memory that are soon full.
    @Suite struct CompletionPort {
      @Test(
        "The completion port keeps the rules of its header",
        .enabled("io_uring can be had here") { try await runConformance(["life:detect"]).status != 77 },
        arguments: [
          "default", "without-lent", "without-shared-buffers", "without-multishot-accept", "without-deferred-work",
          "tiny-queues", "tiny-lent-memory",
        ])
      func keepsItsRules(_ options: String) async throws {
        let program = try await runConformance(["--options", options], limit: 120)
        #expect(program.status == 0, "\(program.output)")
      }
    }
  }

  private func runConformance(_ arguments: [String], limit: Int = 30) async throws -> Program.Ended {
    try await Program.run([Program.directory + "/CompletionPortConformance"] + arguments, limit: limit)
  }
#endif
