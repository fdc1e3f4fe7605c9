internal import SystemPackage

/// The event loop over completions: io_uring on Linux. Answers asyncio's `ProactorEventLoop`.
///
/// Nothing above the backend differs from the other loops; what does differ is listed in the article Semantics.
public final class ProactorEventLoop: BaseEventLoop, @unchecked Sendable {
  /// Makes a loop. Throws code `notOffered` where io_uring is not available, with the step that said no and what helps
  /// (``ProactorDetection``), and ``IOError`` where the system refuses for lack of resources.
  public init() throws {
    let detection = ProactorDetection.current
    guard detection.isAvailable else {
      throw EventLoopError(.notOffered, "ProactorEventLoop: \(detection.description)")
    }
    let backend: ProactorBackend
    do { backend = try ProactorBackend() } catch { throw IOError(error, "make an event loop") }
    super.init(backend: backend)
  }

  /// Makes a loop over a given backend, which it owns from here on.
  init(proactor: ProactorBackend) {
    super.init(backend: proactor)
  }
}
