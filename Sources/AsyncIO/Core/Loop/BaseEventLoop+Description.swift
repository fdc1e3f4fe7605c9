internal import Synchronization

extension BaseEventLoop: CustomStringConvertible {
  /// How logs show it: "SelectorEventLoop 2 (epoll, running)". The number counts the loops of the process. Any thread.
  public final var description: String {
    let state = isClosed ? "closed" : isRunning ? "running" : "idle"
    return "\(type(of: self)) \(number) (\(backendName), \(state))"
  }
}

/// Counts loops for their descriptions.
enum LoopNumbers {
  private static let last = Atomic<Int>(0)
  static func next() -> Int { last.add(1, ordering: .relaxed).newValue }
}
