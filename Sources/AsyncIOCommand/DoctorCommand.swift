import ArgumentParser
import AsyncIO
import CAsyncIO
import SystemPackage

/// `asyncio doctor`: what works on this machine.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Check which event loops work on this machine.",
    discussion: """
      Makes every loop kind, runs a timer, a thread-safe call and a TCP round trip on it, and says for each that does
      not work which step said no and what helps. The exit status is 1 if none works.
      """
  )

  func run() throws {
    print(Self.system)
    var working = 0
    for name in EventLoopKinds.names {
      let check = LoopCheck(name)
      do {
        try check.run()
        working += 1
        print("  \(name.padded(to: 12)) works (\(check.backend)\(check.details))")
        show(check.notes)
      } catch {
        print("  \(name.padded(to: 12)) does not work")
        show(check.diagnosis(of: error))
      }
    }
    let asked = getenv("ASYNCIO_EVENT_LOOP").map { String(cString: $0) }
    if let asked, !asked.isEmpty, !EventLoopKinds.names.contains(asked) {
      print("  ASYNCIO_EVENT_LOOP is \"\(asked)\", which is no loop kind. Unset it, or use one of the names above.")
    }
    if working == 0 { throw ExitCode(1) }
  }

  /// Prints names and what they stand for, below a loop kind.
  private func show(_ rows: [(name: String, text: String)]) {
    for (name, text) in rows {
      var lead = "\(name):"
      for line in text.wrapped(at: 80) {
        print("               \(lead.padded(to: 9)) \(line)")
        lead = ""
      }
    }
  }

  /// The kernel and the limits that loops meet.
  private static var system: String {
    var names = utsname()
    uname(&names)
    let release = withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    var limit = rlimit()
    _ = casyncio_open_file_limit(&limit)
    let advice = limit.rlim_cur < 1024 ? "; raise it with `ulimit -n` to serve many connections" : ""
    return "kernel \(release); open files at most \(limit.rlim_cur)\(advice)\n"
  }
}

/// Tries one loop kind, step by step.
private final class LoopCheck {
  let name: String
  private(set) var step = "make the loop"
  private(set) var backend = ""
  private(set) var details = ""

  init(_ name: String) { self.name = name }

  /// What there is to say of a kind that works.
  var notes: [(name: String, text: String)] {
    let features = ProactorDetection.current.featureNames
    return name == "proactor" && !features.isEmpty ? [("features", features.joined(separator: ", "))] : []
  }

  /// Where it stopped, why, and what helps.
  func diagnosis(of error: any Error) -> [(name: String, text: String)] {
    let detection = ProactorDetection.current
    if name == "proactor", let step = detection.failedStep {
      let cause = detection.cause.map { [("cause", $0)] } ?? []
      return [("step", step.rawValue)] + cause + [("fix", detection.advice)]
    }
    return [("step", step), ("cause", "\(error)"), ("fix", Self.advice(error))]
  }

  func run() throws {
    let loop = try EventLoopKinds.make(name)
    defer { try? loop.close() }
    if let core = loop as? BaseEventLoop {
      backend = core.backendName
      if core.capabilities.contains(.subMillisecondWaits) { details += ", waits exact below a millisecond" }
    }
    step = "run a timer"
    try loop.run { try await sleep(for: .microseconds(200)) }
    step = "call from another thread"
    let called = loop.createFuture(of: Bool.self)
    Task.detached { try loop.callSoonThreadsafe { try called.setResult(true) } }
    _ = try loop.runUntilComplete(called)
    step = "send over TCP on the loopback"
    try loop.run(Self.roundTrip)
  }

  private static let roundTrip: @Sendable () async throws -> Void = {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    async let accepted = listener.accept()
    let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
    let server = try await accepted
    try await client.write("ping")
    _ = try await server.readExactly(4)
    client.close()
    server.close()
    listener.close()
  }

  private static func advice(_ error: any Error) -> String {
    guard let error = error as? IOError else { return "Report this with the output of `uname -a`." }
    switch error.errno {
    case .tooManyOpenFiles: return "Raise the limit of open files: ulimit -n 4096."
    case .noFunction, .notPermitted:
      return "The kernel or a sandbox (seccomp) refuses the system call. Use another kind: --loop poll."
    default: return "Check the network set-up of the loopback interface."
    }
  }
}
