internal import CAsyncIO
internal import SystemPackage

/// Whether this machine has completions, found out once per process by trying.
///
/// A kernel may be too old, an administrator may have turned io_uring off, and the sandboxes of most container engines
/// refuse its system calls. So nothing is concluded from version numbers: a ring is made with the flags that a loop
/// uses, asked for every operation, and used for a round trip.
public struct ProactorDetection: Sendable {
  /// The parts of the check, in their order.
  package enum Step: String, Sendable {
    case environment = "the environment variable ASYNCIO_IO_URING"
    case platform = "the platform"
    case setup = "set-up (io_uring_setup)"
    case map = "mapping its queues (mmap)"
    case operations = "the list of operations (io_uring_register)"
    case selfTest = "the self-test (io_uring_enter)"
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
    guard let failedStep else { return "io_uring works (\(featureNames.joined(separator: ", ")))" }
    let reason = cause.map { ": \($0)" } ?? ""
    return "io_uring is not available: \(failedStep.rawValue) said no\(reason). \(advice)"
  }

  /// What helps against the step that failed.
  package var advice: String {
    switch (failedStep, -error) {
    case (nil, _): ""
    case (.environment, _): "Unset ASYNCIO_IO_URING, or use the selector loop."
    case (.platform, _): "It needs a 64-bit Linux; use the selector loop."
    case (_, EPERM):
      "An administrator or a sandbox forbids it: see kernel.io_uring_disabled, and allow io_uring_setup, io_uring_enter"
        + " and io_uring_register in the container's seccomp profile; or use the selector loop."
    case (_, ENOSYS):
      "The kernel or a sandbox does not know it; use Linux 5.19 or newer, or the selector loop."
    case (_, ENOMEM): "Raise the limit of locked memory (ulimit -l), or use the selector loop."
    case (_, EMFILE): "Raise the limit of open files: ulimit -n 4096."
    default: "The kernel is too old or restricted; use Linux 5.19 or newer, or the selector loop."
    }
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
