/// Called around each wait that may take time, in the loop's thread: before it, and before what it brings is delivered.
///
/// For a runtime with a lock that only one thread holds: it is given up while the loop waits, and taken back before
/// any of its callbacks can run. Part of the face for embedding, see `Core/Loop/Embedding.swift`.
@_spi(Embedding)
public struct WaitHook: Sendable {
  private let willWait: @Sendable () -> Void
  private let didWait: @Sendable () -> Void

  /// Make a hook.
  public init(willWait: @escaping @Sendable () -> Void, didWait: @escaping @Sendable () -> Void) {
    (self.willWait, self.didWait) = (willWait, didWait)
  }

  /// Do a wait between the two calls.
  func around<Result, Failure: Error>(_ wait: () throws(Failure) -> Result) throws(Failure) -> Result {
    willWait()
    defer { didWait() }
    return try wait()
  }
}
