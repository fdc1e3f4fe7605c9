#if os(Linux)
  import POSIX
  import Testing

  /// A program that a test started. Its output goes to files, which never fill; it is ended by its number.
  final class Program: @unchecked Sendable {
    // Right because one task at a time uses it.
    let pid: pid_t
    private let outputPath: String
    private var status: Int32?

    struct Ended {
      var status: Int32
      var output: String
    }

    struct Failure: Error, CustomStringConvertible {
      var description: String
    }

    /// The command under test lies beside the test bundle.
    static let command = directory + "/asyncio"

    static var directory: String {
      var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
      let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
      let executable = String(decoding: buffer.prefix(max(0, count)).map(UInt8.init(bitPattern:)), as: UTF8.self)
      return executable.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    }

    /// Whether programs of these names are installed.
    static func areInstalled(_ names: String...) -> Bool {
      let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/usr/sbin"
      let directories = path.split(separator: ":").map(String.init) + ["/usr/sbin"]
      return names.allSatisfy { name in directories.contains { access("\($0)/\(name)", X_OK) == 0 } }
    }

    /// Whether strace may trace here; sandboxes forbid it.
    static func canTrace() async -> Bool {
      (try? await run(["strace", "-o", "/dev/null", "true"]))?.status == 0
    }

    /// Start a program; `input` is a file to read from.
    init(_ arguments: [String], input: String = "/dev/null") throws {
      outputPath = makeTemporary { close(mkstemp($0)) }.path
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0)
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, outputPath, O_WRONLY | O_APPEND, 0)
      posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
      // Threads of the tests block signals, and a child inherits what its maker blocks.
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      var nothing = sigset_t()
      sigemptyset(&nothing)
      posix_spawnattr_setsigmask(&attributes, &nothing)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
      var strings = arguments.map { strdup($0) } + [nil]
      defer { for string in strings { free(string) } }
      var child: pid_t = 0
      let failure = posix_spawnp(&child, arguments[0], &actions, &attributes, &strings, environ)
      guard failure == 0 else { throw Failure(description: "\(arguments[0]): \(String(cString: strerror(failure)))") }
      pid = child
    }

    deinit {
      kill()
      unlink(outputPath)
    }

    /// Run a program to its end.
    static func run(_ arguments: [String], input: String = "/dev/null", limit: Int = 30) async throws -> Ended {
      try await Program(arguments, input: input).waitToEnd(limit: limit)
    }

    var output: String {
      guard let file = fopen(outputPath, "r") else { return "" }
      defer { fclose(file) }
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 65536)
      while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
      return String(decoding: bytes, as: UTF8.self)
    }

    /// Look until the condition gives something.
    static func wait<R>(for what: String, limit: Int = 10, _ condition: () async throws -> R?) async throws -> R {
      for _ in 0..<limit * 200 {
        if let result = try await condition() { return result }
        try await Task.sleep(for: .milliseconds(5))
      }
      throw Failure(description: "waited \(limit) seconds for \(what)")
    }

    @discardableResult
    func waitForLine(_ text: String) async throws -> String {
      try await Self.wait(for: "\"\(text)\" in: \(output)") {
        output.split(separator: "\n").first { $0.contains(text) }.map(String.init)
      }
    }

    /// The port in the line that a server prints.
    func port() async throws -> UInt16 {
      let line = try await waitForLine(" on 127.0.0.1:")
      return try #require(line.split(separator: ":").last.flatMap { UInt16($0) })
    }

    var hasEnded: Bool {
      guard status == nil else { return true }
      var word: Int32 = 0
      guard waitpid(pid, &word, WNOHANG) == pid else { return false }
      status = word & 0x7f == 0 ? (word >> 8) & 0xff : -(word & 0x7f)
      return true
    }

    func waitToEnd(limit: Int = 30) async throws -> Ended {
      _ = try await Self.wait(for: "the end of \(pid): \(output)", limit: limit) { hasEnded ? true : nil }
      return Ended(status: status ?? -1, output: output)
    }

    func signal(_ number: Int32) {
      if !hasEnded { POSIX.kill(pid, number) }
    }

    /// End it and wait until it is gone.
    func kill() {
      guard !hasEnded else { return }
      signal(SIGKILL)
      var word: Int32 = 0
      while waitpid(pid, &word, 0) < 0 && errno == EINTR {}
      status = -SIGKILL
    }

    /// A number of /proc/PID/status, in the unit given there: VmHWM in KiB.
    func statusNumber(_ name: String) -> Int? {
      guard let file = fopen("/proc/\(pid)/status", "r") else { return nil }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 256)
      while fgets(&line, 256, file) != nil {
        let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        if text.hasPrefix(name + ":") { return text.split { !$0.isNumber }.first.flatMap { Int($0) } }
      }
      return nil
    }

    /// Seconds of processor time used so far.
    var processorSeconds: Double {
      guard let file = fopen("/proc/\(pid)/stat", "r") else { return 0 }
      defer { fclose(file) }
      var line = [CChar](repeating: 0, count: 1024)
      guard fgets(&line, 1024, file) != nil else { return 0 }
      let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
      guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
      return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
  }

  /// Tests that start programs run one after the other: each wants the machine's processors and ports.
  @Suite(.serialized, .timeLimit(.minutes(5))) enum RealComponents {}

  /// So do those that start one of ours and mostly wait for it, beside them: the machine is not idle meanwhile.
  @Suite(.serialized, .timeLimit(.minutes(5))) enum RealPrograms {}
#endif
