import AsyncIO
import SystemPackage

/// Tries one loop kind, step by step.
final class LoopCheck {
  private let name: String
  private var step = "make the loop"
  private var finding: LoopFinding

  init(_ name: String) {
    self.name = name
    finding = LoopFinding(name)
  }

  func findings() -> LoopFinding {
    do {
      try run()
      if name == "proactor" { finding.features = ProactorDetection.current.featureNames }
    } catch {
      diagnose(error)
    }
    return finding
  }

  /// Where it stopped, why, and what helps.
  private func diagnose(_ error: any Error) {
    let detection = ProactorDetection.current
    if name == "proactor", let step = detection.failedStep {
      (finding.step, finding.cause, finding.fix) = (step.name, detection.cause, detection.advice)
    } else {
      (finding.step, finding.cause, finding.fix) = (step, "\(error)", Self.advice(error))
    }
  }

  private func run() throws {
    let loop = try EventLoopKinds.make(name)
    defer { try? loop.close() }
    if let core = loop as? BaseEventLoop {
      finding.backend = core.backendName
      finding.hasExactWaits = core.capabilities.contains(.subMillisecondWaits)
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
