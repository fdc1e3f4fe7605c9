/// A subscriber of a ``Broadcast`` was too slow: elements have gone that it had not taken. Its next call gives the
/// oldest one that is still there. Answers tokio's `RecvError::Lagged`.
public struct BroadcastLagError: Error, Hashable, CustomStringConvertible {
  /// The number of elements that it has missed.
  public let count: Int

  /// How many were missed, and what to do about it.
  public var description: String {
    "the subscriber has missed \(count) elements. Take them faster, or give the broadcast a larger capacity."
  }
}

/// Elements that go to every subscriber: each one gets everything that is sent after it has subscribed, in order.
/// Answers tokio's `broadcast`.
///
/// ```swift
/// let news = try Broadcast<String>(capacity: 100)
/// let reading = try loop.createTask { [subscription = news.subscribe()] in
///   for try await line in subscription { print(line) }
/// }
/// try await news.send("hello")
/// news.shutDown()
/// try await reading.get()
/// ```
/// At most `capacity` elements are kept for subscribers that have not taken them. What happens when there would be one
/// more is decided once, for all: the oldest one goes and those that have not taken it are told, or the sender waits
/// for the slowest. What is sent while there are no subscribers is dropped.
///
/// Any task of any loop may use it, in any thread.
public final class Broadcast<Element: Sendable>: Sendable {
  /// What happens to an element for which there is no room.
  public enum Overflow: Hashable, Sendable {
    /// The oldest element goes. Subscribers that have not taken it are told by ``BroadcastLagError``.
    case dropOldest
    /// The sender waits until every subscriber has taken the oldest element, or has gone.
    case wait
  }

  private let state: Lock<BroadcastState<Element>>

  /// Create a broadcast without subscribers. Throws code `invalidArgument` if `capacity` is less than one.
  public init(capacity: Int, overflow: Overflow = .dropOldest) throws(EventLoopError) {
    guard capacity > 0 else {
      throw EventLoopError(.invalidArgument, "Broadcast: capacity is \(capacity). Give at least 1.")
    }
    state = Lock(BroadcastState(capacity: capacity, dropsOldest: overflow == .dropOldest))
  }

  /// The number of subscribers.
  public var subscriberCount: Int { state.withLock { $0.members.count } }

  /// Send an element to all subscribers; waits for room only with ``Overflow/wait``, in order. Throws
  /// ``QueueShutDownError`` when the broadcast is shut down, before or during the wait.
  public func send(_ element: Element) async throws {
    try await checkpoint()
    let id = state.withLock { $0.numbers.next() }
    try await waitCancellably(
      id, cancelled: QueueEnd<Void>.cancelled,
      enter: { sender in
        let (admission, actions) = self.state.withLock { $0.enterSender(id, sender, element) }
        actions.perform()
        return admission
      }, leave: { id in self.state.withLock { $0.leaveSender(id) } }
    ).get()
  }

  /// Send an element now. Throws ``QueueFullError`` if it would have to wait, ``QueueShutDownError``.
  public func sendNoWait(_ element: Element) throws {
    let actions = try state.withLock { state in
      if state.isShutDown { throw QueueShutDownError() as any Error }
      guard let actions = state.send(element) else { throw QueueFullError() }
      return actions
    }
    actions.perform()
  }

  /// Subscribe to everything that is sent from here on. A subscription of a broadcast that is shut down has ended.
  public func subscribe() -> Subscription {
    Subscription(self, state.withLock { $0.subscribe() })
  }

  /// Shut the broadcast down: subscribers get what is there, and then their sequences end; nothing more is taken, and
  /// senders that wait throw ``QueueShutDownError``.
  public func shutDown() { state.withLock { $0.shutDown() }.perform() }

  /// What one subscriber gets: a sequence, or ``next()`` by ``next()``. Each element goes to one of the tasks that use
  /// it. The subscription ends when nobody has it any more.
  public final class Subscription: AsyncSequence, AsyncIteratorProtocol, Sendable {
    private let broadcast: Broadcast
    private let number: UInt64

    fileprivate init(_ broadcast: Broadcast, _ number: UInt64) { (self.broadcast, self.number) = (broadcast, number) }

    deinit { cancel() }

    /// Wait for the next element, and take it; nil when the broadcast was shut down and everything was taken, and after
    /// ``cancel()``. Throws ``BroadcastLagError`` if elements were missed, and goes on with the next call: a loop over
    /// the subscription may be begun anew. Throws `CancellationError`, and has then taken nothing.
    public func next() async throws -> Element? {
      try await checkpoint()
      let (broadcast, member) = (broadcast, number)
      let id = broadcast.state.withLock { $0.numbers.next() }
      return try await waitCancellably(
        id, cancelled: BroadcastEnd<Element>.cancelled,
        enter: { taker in
          let (admission, actions) = broadcast.state.withLock { $0.enterTaker(id, taker, of: member) }
          actions.perform()
          return admission
        }, leave: { id in broadcast.state.withLock { $0.leaveTaker(id, of: member) } }
      ).get()
    }

    /// End the subscription: what was not taken is dropped, and a task that waits gets nil. Idempotent.
    public func cancel() { broadcast.state.withLock { $0.unsubscribe(number) }.perform() }

    /// Iterate over what the subscription gives.
    public func makeAsyncIterator() -> Subscription { self }
  }
}
