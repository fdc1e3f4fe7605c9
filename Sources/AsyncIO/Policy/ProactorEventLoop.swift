internal import SystemPackage

/// The event loop over completions: io_uring on Linux, an I/O completion port on Windows. Answers asyncio's
/// `ProactorEventLoop`.
///
/// Nothing above the backend differs from the other loops; the article Semantics lists what does differ.
public final class ProactorEventLoop: BaseEventLoop, @unchecked Sendable {
  /// Make a loop. Throws code `notOffered` where the system has no completions, with the step that failed and what
  /// helps (``ProactorDetection``), and ``IOError`` if the system has no resources left.
  public init() throws {
    let detection = ProactorDetection.current
    guard detection.isAvailable else {
      throw EventLoopError(.notOffered, "ProactorEventLoop: \(detection.description)")
    }
    let backend: ProactorBackend
    do { backend = try ProactorBackend() } catch { throw IOError(error, "make an event loop") }
    super.init(backend: backend)
    Inspection.offerIfAsked()
  }

  /// Make a loop over a given backend, which it then owns.
  init(proactor: ProactorBackend) {
    super.init(backend: proactor)
  }
}
