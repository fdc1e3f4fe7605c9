#if os(Linux)
  import AsyncIO
  import AsyncIOPrograms
  import POSIX
  import Testing

  /// A case of the helper program that is looked at while it lives. It ends with its input.
  struct InspectedHelper {
    let child: ChildProcess
    let facts: [String: String]
    private let output: PipeReader

    /// Start a case, wait until it is ready, do something with it, and let it end.
    static func with(
      _ name: String, _ environment: [String: String] = ["ASYNCIO_INSPECT": "1"],
      _ body: (InspectedHelper) async throws -> Void
    ) async throws {
      var all = ["PATH": String(cString: getenv("PATH"))]
      for name in ["TSAN_OPTIONS", "ASAN_OPTIONS", "LSAN_OPTIONS", "ASYNCIO_RUNTIME_LAYOUT"] {
        if let value = getenv(name) { all[name] = String(cString: value) }
      }
      let child = try await ChildProcess.spawn(
        HelperProgram.path, [name], environment: all.merging(environment) { $1 }, standardInput: .pipe,
        standardOutput: .pipe)
      let output = try #require(child.standardOutput)
      var facts: [String: String] = [:]
      while facts["ready"] == nil {
        let line = try #require(try await output.readLine(), "\(name) ended before it was ready")
        let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
        facts[parts[0]] = parts.count > 1 ? parts[1] : ""
      }
      let helper = InspectedHelper(child: child, facts: facts, output: output)
      do { try await body(helper) } catch {
        try child.kill()
        _ = try await child.wait()
        throw error
      }
      child.standardInput?.close()
      try child.sendSignal(SIGCONT)
      #expect(try await child.wait() == .exited(0))
    }

    var process: InspectedProcess { get throws { try InspectedProcess("\(child.processIdentifier)") } }

    /// With the patience that a process needs beside a whole suite of tests.
    func report(limit: Int = 1000) async throws -> InspectionReport {
      try await process.report(limit: limit, patience: 60)
    }
  }
#endif
