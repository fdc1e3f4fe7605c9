/// The event loop over readiness: epoll on Linux, AFD on Windows, poll(2) elsewhere, or any ``IOSelector``. Answers
/// asyncio's `SelectorEventLoop`.
public final class SelectorEventLoop: BaseEventLoop, @unchecked Sendable {
  /// Make a loop over the best selector of the platform. Throws ``IOError`` if the system refuses, for instance because
  /// no descriptors are left.
  public convenience init() throws(IOError) {
    do {
      self.init(selector: try Selectors.best())
    } catch {
      throw IOError(error, "make an event loop")
    }
  }

  /// Make a loop over a given selector, which it then owns.
  public init(selector: any IOSelector) {
    super.init(backend: SelectorBackend(selector))
    Inspection.offerIfAsked()
  }
}
