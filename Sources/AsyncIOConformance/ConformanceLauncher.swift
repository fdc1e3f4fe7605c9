public import AsyncIO

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Runs a check in the main thread of a process of its own, which a program of the host starts.
public struct ConformanceLauncher: Sendable {
  private let start: @Sendable (ConformanceCheck, String, Duration) -> ConformanceResult

  /// Start processes in a way of your own.
  public init(_ start: @escaping @Sendable (ConformanceCheck, String, Duration) -> ConformanceResult) {
    self.start = start
  }

  /// Start a program, which calls ``ConformanceSuite/runInThisProcess(_:factory:)`` with the last argument.
  ///
  /// - Parameters:
  ///   - path: the program.
  ///   - arguments: what comes before the name of the check, for a loop of this name.
  public static func program(
    _ path: String, arguments: @escaping @Sendable (_ loopName: String) -> [String]
  ) -> ConformanceLauncher {
    ConformanceLauncher { check, loopName, limit in
      CheckProcess.run(path, arguments(loopName) + [check.id], check, limit: limit)
    }
  }

  /// Run a check and wait for its end, or for the limit. Blocks the calling thread.
  public func run(
    _ check: ConformanceCheck, loopName: String, limit: Duration = ConformanceSuite.defaultLimit
  ) -> ConformanceResult {
    start(check, loopName, limit)
  }
}

extension ConformanceSuite {
  /// Run one check in this thread, which is the main one of a process that was started for it, and write the result to
  /// standard output for the launcher. A program's `main` calls it with its last argument.
  public static func runInThisProcess(_ id: String, factory: @escaping @Sendable () throws -> any EventLoop) {
    // The check's own output must not be taken for its result.
    let output = dup(STDOUT_FILENO)
    _ = fcntl(output, F_SETFD, FD_CLOEXEC)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    var lines: [String]
    if let check = check(id) {
      let result = execute(check, ConformanceSubject(factory: factory))
      lines =
        switch result.outcome {
        case .passed: ["passed"]
        case .failed(let why): ["failed", why]
        case .notOffered(let why): ["not offered", why]
        }
      lines[1...] = [lines.dropFirst().joined().replacing("\n", with: " ")]
      lines += result.seen.flatMap { [$0.name, $0.value] }
    } else {
      lines = ["failed", "there is no check \(id)"]
    }
    var text = lines.map { $0 + "\n" }.joined() + "end\n"
    text.withUTF8 { bytes in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = write(
          output, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[rest.indices]).baseAddress, rest.count)
        guard count > 0 else { break }
        rest = rest.dropFirst(count)
      }
    }
    close(output)
  }
}

/// A child process, and its result as it comes through a pipe.
private enum CheckProcess {
  static func run(
    _ path: String, _ arguments: [String], _ check: ConformanceCheck, limit: Duration
  ) -> ConformanceResult {
    func failed(_ why: String) -> ConformanceResult { ConformanceResult(check: check, outcome: .failed(why)) }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return failed("no pipe: \(String(cString: strerror(errno)))") }
    defer { close(ends[0]) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let child: pid_t
    switch spawn(path, arguments, output: ends[1]) {
    case .success(let id): child = id
    case .failure(let error):
      close(ends[1])
      return failed("\(path) was not started: \(error.description)")
    }
    close(ends[1])
    let text = read(ends[0], limit: limit)
    if text == nil { kill(child, SIGKILL) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    guard let text else { return failed("did not end within \(limit)") }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard lines.count >= 4, lines.suffix(2) == ["end", ""] else {
      let signal = status & 0x7f
      return failed(
        signal == 0 ? "its process ended with status \(status >> 8 & 0xff)" : "its process ended by signal \(signal)")
    }
    lines.removeLast(2)
    return parse(lines, check)
  }

  private static func parse(_ lines: [String], _ check: ConformanceCheck) -> ConformanceResult {
    let outcome: ConformanceResult.Outcome =
      switch lines[0] {
      case "passed": .passed
      case "not offered": .notOffered(lines[1])
      default: .failed(lines[1])
      }
    let seen = stride(from: 2, to: lines.count - 1, by: 2).map { Observation(name: lines[$0], value: lines[$0 + 1]) }
    return ConformanceResult(check: check, outcome: outcome, seen: seen)
  }

  private struct SpawnError: Error { let description: String }

  private static func spawn(_ path: String, _ arguments: [String], output: Int32) -> Result<pid_t, SpawnError> {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
      var attributes: posix_spawnattr_t?
    #else
      var actions = posix_spawn_file_actions_t()
      var attributes = posix_spawnattr_t()
    #endif
    // A child inherits the signals that its maker's thread blocks, and the threads of a pool block signals.
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var nothing = sigset_t()
    sigemptyset(&nothing)
    posix_spawnattr_setsigmask(&attributes, &nothing)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    var words = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var child: pid_t = 0
    let failure = posix_spawn(&child, path, &actions, &attributes, &words, environ)
    return failure == 0 ? .success(child) : .failure(SpawnError(description: String(cString: strerror(failure))))
  }

  /// Read everything up to the end; nil if that does not come within the limit.
  private static func read(_ descriptor: Int32, limit: Duration) -> String? {
    let start = ContinuousClock.now
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let left = limit - (ContinuousClock.now - start)
      guard left > .zero else { return nil }
      var interest = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = poll(&interest, 1, Int32(clamping: left.saturatedNanoseconds / 1_000_000 + 1))
      if ready <= 0 { continue }
      #if canImport(Glibc)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
      #elseif canImport(Musl)
        let count = Musl.read(descriptor, &buffer, buffer.count)
      #else
        let count = Darwin.read(descriptor, &buffer, buffer.count)
      #endif
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer.prefix(count)
    }
  }
}
