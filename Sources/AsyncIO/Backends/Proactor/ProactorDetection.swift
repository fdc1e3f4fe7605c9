internal import CAsyncIO
internal import SystemPackage

/// Whether this machine has completions, found out once per process by trying.
///
/// A kernel may be too old, an administrator may have turned io_uring off, and the sandboxes of most container engines
/// refuse its system calls; on Windows a layer above the system's sockets may be in the way. So nothing is concluded
/// from version numbers: a port is made with the flags that a loop uses, asked for every operation, and used for a
/// round trip.
public struct ProactorDetection: Sendable {
  /// The parts of the check, in their order.
  package enum Step: Sendable {
    case environment, platform, setup, map, operations, selfTest

    /// What it does.
    package var name: String {
      self == .environment
        ? "the environment variable ASYNCIO_IO_URING" : String(cString: casyncio_port_step_name(number))
    }

    /// What helps if it has failed.
    func advice(_ error: Int32) -> String {
      self == .environment
        ? "Unset ASYNCIO_IO_URING, or use the selector loop."
        : String(cString: casyncio_port_advice(number, error))
    }

    /// C's number of the step.
    private var number: Int32 {
      switch self {
      case .environment: Int32(CASYNCIO_STEP_NONE)
      case .platform: Int32(CASYNCIO_STEP_PLATFORM)
      case .setup: Int32(CASYNCIO_STEP_SETUP)
      case .map: Int32(CASYNCIO_STEP_MAP)
      case .operations: Int32(CASYNCIO_STEP_OPERATIONS)
      case .selfTest: Int32(CASYNCIO_STEP_SELF_TEST)
      }
    }
  }

  /// The step that failed; nil if all of them worked.
  package let failedStep: Step?
  /// The negated errno of that step, or 0.
  let error: Int32
  /// `CASYNCIO_PORT_` bits.
  let features: UInt32

  /// True if a ``ProactorEventLoop`` can be made.
  public var isAvailable: Bool { failedStep == nil }

  /// The result of this process; the first use finds it out, in less than a millisecond if io_uring works. The
  /// environment variable is read then, once. A system that was short of descriptors or memory is asked again.
  public static var current: ProactorDetection {
    found.withLock { found in
      if let found { return found }
      let detection = ProactorDetection(allowed: isAllowed)
      if !detection.isShortage { found = detection }
      return detection
    }
  }

  private static let found = Lock<ProactorDetection?>(nil)
  private static let isAllowed = Environment.allowsRing

  /// True if what was missing may be there the next time.
  private var isShortage: Bool { [EMFILE, ENFILE, ENOMEM, EAGAIN].contains(-error) }

  init(allowed: Bool = Environment.allowsRing) {
    guard allowed else {
      (failedStep, error, features) = (.environment, 0, 0)
      return
    }
    var step: Int32 = 0
    var features: UInt32 = 0
    error = casyncio_port_detect(&step, &features)
    self.features = features
    failedStep = error == 0 ? nil : Self.step(step)
  }

  private static func step(_ number: Int32) -> Step {
    switch Int(number) {
    case CASYNCIO_STEP_PLATFORM: .platform
    case CASYNCIO_STEP_SETUP: .setup
    case CASYNCIO_STEP_MAP: .map
    case CASYNCIO_STEP_OPERATIONS: .operations
    default: .selfTest
    }
  }

  /// The system's reason for the failed step; nil if it was not asked.
  package var cause: String? { error == 0 ? nil : Errno(rawValue: -error).description }

  /// What is missing, and what helps; or what there is.
  public var description: String {
    let title = String(cString: casyncio_port_title())
    guard let failedStep else { return "\(title) works (\(featureNames.joined(separator: ", ")))" }
    let reason = cause.map { ": \($0)" } ?? ""
    return "\(title) is not available: \(failedStep.name) said no\(reason). \(advice)"
  }

  /// What helps against the step that failed.
  package var advice: String {
    failedStep?.advice(-error) ?? ""
  }

  /// What this kernel offers beyond what is needed, in words.
  package var featureNames: [String] {
    let names = [
      (CASYNCIO_PORT_DEFERRED_WORK, "deferred work"), (CASYNCIO_PORT_MULTISHOT_ACCEPT, "multishot accept"),
      (CASYNCIO_PORT_LENT, "multishot receive"), (CASYNCIO_PORT_SHARED_BUFFERS, "shared buffers"),
    ]
    return names.filter { features & UInt32($0.0) != 0 }.map(\.1)
  }
}
