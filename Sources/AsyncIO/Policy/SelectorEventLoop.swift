/// The event loop over readiness: epoll on Linux, poll(2) elsewhere, or any ``IOSelector``. Answers asyncio's
/// `SelectorEventLoop`.
public final class SelectorEventLoop: BaseEventLoop, @unchecked Sendable {
  /// Make a loop over the best selector of the platform. Throws ``IOError`` if the system refuses, for instance because
  /// no descriptors are left.
  public convenience init() throws(IOError) {
    do {
      #if os(Linux) || os(Android)
        self.init(selector: try EpollSelector())
      #else
        self.init(selector: try PollSelector())
      #endif
    } catch {
      throw IOError(error, "make an event loop")
    }
  }

  /// Make a loop over a given selector, which it then owns.
  public init(selector: any IOSelector) {
    super.init(backend: SelectorBackend(selector))
  }
}
