#if os(Linux)
  import POSIX
  import Testing

  /// One case of the program AsyncIOTestHelper, run in a process of its own. The case prints facts, one `name=value`
  /// a line; the expectations about them are in the tests.
  struct HelperProgram {
    /// Exit status, or minus the number of the signal that ended it.
    var status: Int32
    var facts: [String: String]
    var standardError: String

    subscript(name: String) -> String? { facts[name] }

    /// Run a case and expect that it ended well.
    static func run(_ name: String, _ environment: [String: String] = [:]) async throws -> HelperProgram {
      let program = try await runToEnd(name, environment)
      try #require(program.status == 0, "\(name) ended with \(program.status): \(program.standardError)")
      return program
    }

    /// Run a case, however it ends. A case that hangs ends itself by an alarm.
    static func runToEnd(_ name: String, _ environment: [String: String] = [:]) async throws -> HelperProgram {
      try await withCheckedThrowingContinuation { continuation in
        // The wait blocks, so it gets a thread that nobody else needs.
        startThread { continuation.resume(with: Result { try execute(name, environment) }) }
      }
    }

    /// What a sanitizer in the program needs, its suppressions and the way to the program that names functions; and the
    /// switch that the tests themselves run under.
    private static var inherited: [String: String] {
      var found: [String: String] = [:]
      for name in ["PATH", "TSAN_OPTIONS", "ASAN_OPTIONS", "LSAN_OPTIONS", "ASYNCIO_RUNTIME_LAYOUT"] {
        if let value = getenv(name) { found[name] = String(cString: value) }
      }
      return found
    }

    private static func execute(_ name: String, _ environment: [String: String]) throws -> HelperProgram {
      let output = unnamedFile()
      let errors = unnamedFile()
      defer {
        close(output)
        close(errors)
      }
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
      posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
      // Threads of the tests block signals, and a child inherits what its maker blocks, even its alarm.
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      var nothing = sigset_t()
      sigemptyset(&nothing)
      posix_spawnattr_setsigmask(&attributes, &nothing)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

      var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(path), strdup(name), nil]
      let all = inherited.merging(environment) { $1 }
      var variables = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
      defer { for string in arguments + variables { free(string) } }
      var child: pid_t = 0
      let failure = posix_spawn(&child, path, &actions, &attributes, &arguments, &variables)
      try #require(failure == 0, "\(path): \(String(cString: strerror(failure)))")

      var status: Int32 = 0
      while waitpid(child, &status, 0) < 0 && errno == EINTR {}
      let signal = status & 0x7f
      return HelperProgram(
        status: signal == 0 ? (status >> 8) & 0xff : -signal, facts: facts(in: contents(of: output)),
        standardError: contents(of: errors))
    }

    /// The program lies beside the test bundle.
    static var path: String {
      var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
      let count = buffer.withUnsafeMutableBytes {
        readlink("/proc/self/exe", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
      }
      let executable = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
      return executable.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/AsyncIOTestHelper"
    }

    private static func facts(in text: String) -> [String: String] {
      var facts: [String: String] = [:]
      for line in text.split(separator: "\n") {
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        facts[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
      }
      return facts
    }

    private static func contents(of descriptor: Int32) -> String {
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
        guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer.prefix(count)
      }
    }
  }
#endif
