#if !os(Windows)
  internal import CAsyncIO

  /// The system's completions, in words: io_uring.
  enum ProactorMechanism {
    /// A short name for reports.
    static let name = "io_uring"
    /// In a sentence.
    static let title = "io_uring"
    /// False if the environment turns it off.
    static var isAllowed: Bool { Environment.allowsRing }

    /// Say what a step of the check does.
    static func name(of step: ProactorDetection.Step) -> String {
      switch step {
      case .environment: "the environment variable ASYNCIO_IO_URING"
      case .platform: "the platform"
      case .setup: "set-up (io_uring_setup)"
      case .map: "mapping its queues (mmap)"
      case .operations: "the list of operations (io_uring_register)"
      case .selfTest: "the self-test (io_uring_enter)"
      }
    }

    /// Say what helps against the step that failed.
    static func advice(_ step: ProactorDetection.Step, _ error: Int32) -> String {
      switch (step, error) {
      case (.environment, _): "Unset ASYNCIO_IO_URING, or use the selector loop."
      case (.platform, _): "It needs a 64-bit Linux; use the selector loop."
      case (_, EPERM):
        "An administrator or a sandbox forbids it: see kernel.io_uring_disabled, and allow io_uring_setup,"
          + " io_uring_enter and io_uring_register in the container's seccomp profile; or use the selector loop."
      case (_, ENOSYS):
        "The kernel or a sandbox does not know it; use Linux 5.19 or newer, or the selector loop."
      case (_, ENOMEM): "Raise the limit of locked memory (ulimit -l), or use the selector loop."
      case (_, EMFILE): "Raise the limit of open files: ulimit -n 4096."
      default: "The kernel is too old or restricted; use Linux 5.19 or newer, or the selector loop."
      }
    }
  }
#endif
