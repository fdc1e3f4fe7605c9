#if os(Linux)
  import Testing

  extension RealComponents {
    /// The program `PlatformConformance` holds what the library asks of the system to its headers. The same one runs
    /// in wine, see `Scripts/wine`.
    @Suite struct Platform {
      @Test("What the library asks of the system keeps the promises of its headers")
      func keepsItsPromises() async throws {
        let program = try await Program.run([Program.directory + "/PlatformConformance"], limit: 60)
        #expect(program.status == 0, "\(program.output)")
      }
    }
  }
#endif
