public import SystemPackage

/// The selectors of this package, for `SelectorEventLoop(selector:)` and for a selector of your own that wraps one.
///
/// Their types have no public names: what they have is what ``IOSelector`` says. Answers Python's module `selectors`.
public enum Selectors {
  /// Make a selector over poll(2), which every platform has. Throws what the system says, for instance if no
  /// descriptors are left. Answers `PollSelector`.
  public static func poll() throws(Errno) -> some IOSelector { try PollSelector() }
}
