internal import AsyncIO

/// Starts a thread of the system: a context without a running loop, which is never the main thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
  do { try Thread.detach(name: "check", body) } catch {
    preconditionFailure("a check needs a thread, and the system has none left: \(error)")
  }
}

/// Opens once. For threads that block; it is no use in a task.
typealias Gate = ThreadGate

extension ThreadGate {
  /// Blocks until the gate is open; `false` if it is not within the limit.
  func wait(for limit: Duration) -> Bool {
    wait(until: MonotonicTime.after(limit.saturatedNanoseconds))
  }
}

/// A thread that others can wait for.
public final class CheckThread<Value: Sendable>: Sendable {
  private let ended = Gate()
  private let value = Lock<Value?>(nil)

  /// Starts it.
  public init(_ body: @escaping @Sendable () -> Value) {
    startThread { [self] in
      let result = body()
      value.withLock { $0 = result }
      ended.open()
    }
  }

  /// What the body returned; nil if it did not within the limit.
  public func wait(for limit: Duration) -> Value? {
    ended.wait(for: limit) ? value.withLock { $0 } : nil
  }

  /// Waits for its end.
  @discardableResult
  public func join() -> Value {
    ended.wait()
    guard let value = value.withLock({ $0 }) else { preconditionFailure("a thread of a check did not end") }
    return value
  }
}
