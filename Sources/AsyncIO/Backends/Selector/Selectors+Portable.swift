#if !os(Linux) && !os(Android)
  internal import CAsyncIO
  internal import SystemPackage

  extension Selectors {
    /// The platform's best: the completion port where the system can wait for sockets only, which is on Windows; else
    /// the selector that every platform has.
    static func best() throws(Errno) -> any IOSelector {
      if casyncio_polls_sockets_only() != 0 { return try PortSelector() }
      return try PollSelector()
    }
  }
#endif
