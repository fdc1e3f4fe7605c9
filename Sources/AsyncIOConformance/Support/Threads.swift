internal import AsyncIO

/// Start a thread of the system: a context without a running loop, which is never the main thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
  do { try Thread.detach(name: "check", body) } catch {
    preconditionFailure("a check needs a thread, and the system has none left: \(error)")
  }
}

/// Opens once. For threads that block; it is of no use in a task.
typealias Gate = ThreadGate

extension ThreadGate {
  /// Block until the gate is open. Returns `false` if it does not open within the limit.
  func wait(for limit: Duration) -> Bool {
    wait(until: MonotonicTime.after(limit.saturatedNanoseconds))
  }
}

/// A thread that others can wait for.
public final class CheckThread<Value: Sendable>: Sendable {
  private let ended = Gate()
  private let value = Lock<Value?>(nil)

  /// Start it.
  public init(_ body: @escaping @Sendable () -> Value) {
    startThread { [self] in
      let result = body()
      value.withLock { $0 = result }
      ended.open()
    }
  }

  /// Return what the body returned; nil if it did not end within the limit.
  public func wait(for limit: Duration) -> Value? {
    ended.wait(for: limit) ? value.withLock { $0 } : nil
  }

  /// Wait for its end.
  @discardableResult
  public func join() -> Value {
    ended.wait()
    guard let value = value.withLock({ $0 }) else { preconditionFailure("a thread of a check did not end") }
    return value
  }
}
