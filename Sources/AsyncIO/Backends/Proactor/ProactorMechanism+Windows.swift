#if os(Windows)
  internal import CAsyncIO

  /// The system's completions, in words: I/O completion ports, which every Windows has.
  enum ProactorMechanism {
    /// A short name for reports.
    static let name = "iocp"
    /// In a sentence.
    static let title = "the I/O completion port"
    /// True: nothing turns it off.
    static let isAllowed = true

    /// Say what a step of the check does.
    static func name(of step: ProactorDetection.Step) -> String {
      switch step {
      case .environment, .platform: "the platform"
      case .setup, .map, .operations: "set-up (CreateIoCompletionPort, AcceptEx, ConnectEx, AFD)"
      case .selfTest: "the self-test (a connection over the loopback)"
      }
    }

    /// Say what helps against the step that failed.
    static func advice(_ step: ProactorDetection.Step, _ error: Int32) -> String {
      switch error {
      case ENOMEM, EMFILE, ENOBUFS: "The system is short of memory or handles: end programs, and try again."
      case EACCES, EPERM, ETIMEDOUT:
        "A firewall may be between this program and itself: allow it to use 127.0.0.1; or use the selector loop."
      default:
        "A layer above the system's sockets may be in the way: see `netsh winsock show catalog`; or use the selector"
          + " loop."
      }
    }
  }
#endif
