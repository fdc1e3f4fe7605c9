#if !os(Linux) && !os(Android) && !os(Windows)
  internal import SystemPackage

  extension Selectors {
    /// The platform's best: the one that every platform has.
    static func best() throws(Errno) -> any IOSelector { try PollSelector() }
  }
#endif
