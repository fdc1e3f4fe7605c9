public import AsyncIO
internal import CAsyncIO
internal import CConformance
internal import SystemPackage

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
    let output = cconformance_take_output()
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
    text.withUTF8 { cconformance_tell(output, $0.baseAddress!, $0.count) }
  }
}

/// A child process, and its result as it comes through a pipe.
private enum CheckProcess {
  static func run(
    _ path: String, _ arguments: [String], _ check: ConformanceCheck, limit: Duration
  ) -> ConformanceResult {
    func failed(_ why: String) -> ConformanceResult { ConformanceResult(check: check, outcome: .failed(why)) }
    var words = ([path] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var (child, output): (Int64, Int32) = (0, -1)
    let failure = cconformance_start(path, &words, &child, &output)
    guard failure == 0 else { return failed("\(path) was not started: \(Errno(rawValue: -failure))") }
    let text = read(output, limit: limit)
    var signal: Int32 = 0
    let status = cconformance_finish(child, output, text == nil ? 1 : 0, &signal)
    guard let text else { return failed("did not end within \(limit)") }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard lines.count >= 4, lines.suffix(2) == ["end", ""] else {
      return failed(
        signal == 0 ? "its process ended with status \(status)" : "its process ended by signal \(signal)")
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

  /// Read everything up to the end; nil if that does not come within the limit.
  private static func read(_ output: Int32, limit: Duration) -> String? {
    let start = ContinuousClock.now
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let left = limit - (ContinuousClock.now - start)
      guard left > .zero else { return nil }
      let wait = Int32(clamping: left.saturatedNanoseconds / 1_000_000 + 1)
      let count = cconformance_read_output(output, &buffer, buffer.count, wait)
      if count == -Int(EAGAIN) { continue }
      guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
      bytes += buffer.prefix(count)
    }
  }
}
