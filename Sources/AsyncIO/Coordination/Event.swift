/// Something that happens, and tasks that wait for it. Answers asyncio's `Event`.
///
/// Any task of any loop may use it, in any thread.
public final class Event: Sendable {
  private let state = Lock(EventState())

  /// Create an event that has not happened.
  public init() {}

  /// True after ``set()``, until ``clear()``.
  public var isSet: Bool { state.withLock { $0.isSet } }

  /// Let it happen: wake all tasks that wait now, even if it is cleared at once, and let later ones pass.
  public func set() {
    let woken = state.withLock { state in
      state.isSet = true
      return state.waiters.removeAll()
    }
    for continuation in woken { continuation.resume(returning: true) }
  }

  /// Make tasks wait again from here on.
  public func clear() { state.withLock { $0.isSet = false } }

  /// Wait until it happens; returns at once if it has. Throws `CancellationError` if the task is cancelled while it
  /// waits.
  public func wait() async throws {
    try await checkpoint()
    let id = state.withLock { $0.numbers.next() }
    let hasHappened = await waitCancellably(
      id, cancelled: false, on: self,
      enter: { continuation in
        self.state.withLock { state in
          if state.isSet { return .now(true) }
          state.waiters.append(id, continuation)
          return .waits
        }
      }, leave: { id in self.state.withLock { $0.waiters.remove(id) } })
    guard hasHappened else { throw CancellationError() }
  }
}

extension Event: WaitPoint {
  package var waitName: String { "an event" }
  package var waitPlace: CallSite? { nil }
  package var holders: [UInt] { [] }
}

struct EventState: Sendable {
  var isSet = false
  var waiters = Waiters<Bool>()
  var numbers = WaitNumbers()
}
