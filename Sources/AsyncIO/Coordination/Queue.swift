/// A queue has no element, and the call does not wait. Answers `asyncio.QueueEmpty`.
public struct QueueEmptyError: Error, Hashable, CustomStringConvertible {
  /// The error.
  public init() {}
  /// What happened, in a sentence.
  public var description: String { "the queue is empty" }
}

/// A queue has no room, and the call does not wait. Answers `asyncio.QueueFull`.
public struct QueueFullError: Error, Hashable, CustomStringConvertible {
  /// The error.
  public init() {}
  /// What happened, in a sentence.
  public var description: String { "the queue is full" }
}

/// A queue was shut down. Answers `asyncio.QueueShutDown`.
public struct QueueShutDownError: Error, Hashable, CustomStringConvertible {
  /// The error.
  public init() {}
  /// What happened, in a sentence.
  public var description: String { "the queue was shut down" }
}

/// Elements on their way from tasks to tasks, first in, first out. Answers asyncio's `Queue`.
///
/// Any task of any loop may use it, in any thread. Tasks that wait are served in the order in which they came. A task
/// that is cancelled while it waits throws `CancellationError`, and has put or got nothing; a task that was served
/// before keeps what it was given, despite the cancellation.
public class Queue<Element: Sendable>: @unchecked Sendable {
  // Unchecked because classes that can be inherited from have to be: the only state is behind the lock, and the
  // subclasses add none.
  private let state: Lock<QueueState<Element>>

  /// The most elements that the queue may have; zero or less for no limit. Answers `maxsize`.
  public final let maxSize: Int

  /// Create an empty queue.
  public convenience init(maxSize: Int = 0) { self.init(maxSize: maxSize, storage: FirstInFirstOut<Element>()) }

  init(maxSize: Int, storage: any QueueStorage<Element>) {
    self.maxSize = maxSize
    state = Lock(QueueState(maxSize: maxSize, storage: storage))
  }

  /// The number of elements. Answers `qsize()`.
  public final var count: Int { state.withLock { $0.count } }
  /// True if it has none. Answers `empty()`.
  public final var isEmpty: Bool { count == 0 }
  /// True if it has all the elements it may have. Answers `full()`.
  public final var isFull: Bool { state.withLock { $0.isFull } }

  // MARK: Elements

  /// Add an element; waits for room first if there is none. Throws ``QueueShutDownError`` when the queue is shut
  /// down, before or during the wait.
  public final func put(_ element: Element) async throws {
    try await checkpoint()
    let id = state.withLock { $0.numbers.next() }
    let end = await waitCancellably(
      id, cancelled: QueueEnd<Void>.cancelled, on: self,
      enter: { putter in self.change { $0.enterPutter(id, putter, element) } },
      leave: { id in self.state.withLock { $0.leavePutter(id) } })
    try end.get()
  }

  /// Add an element now. Throws ``QueueFullError`` if there is no room, ``QueueShutDownError``. Answers `put_nowait()`.
  public final func putNoWait(_ element: Element) throws {
    let actions = try state.withLock { state in
      if state.isShutDown { throw QueueShutDownError() as any Error }
      guard let actions = state.put(element) else { throw QueueFullError() }
      return actions
    }
    actions.perform()
  }

  /// Take the next element; waits for one first if there is none. Throws ``QueueShutDownError`` when the queue is
  /// shut down and empty, before or during the wait.
  public final func get() async throws -> Element {
    try await checkpoint()
    let id = state.withLock { $0.numbers.next() }
    let end = await waitCancellably(
      id, cancelled: QueueEnd<Element>.cancelled, on: self,
      enter: { getter in self.change { $0.enterGetter(id, getter) } },
      leave: { id in self.state.withLock { $0.leaveGetter(id) } })
    return try end.get()
  }

  /// Take the next element now. Throws ``QueueEmptyError`` if there is none, ``QueueShutDownError`` if there will be
  /// none. Answers `get_nowait()`.
  public final func getNoWait() throws -> Element {
    let (element, actions) = try state.withLock { state in
      if let taken = state.get() { return taken }
      if state.isShutDown { throw QueueShutDownError() as any Error }
      throw QueueEmptyError()
    }
    actions.perform()
    return element
  }

  private func change<Outcome>(
    _ body: (inout QueueState<Element>) -> (Admission<Outcome>, QueueState<Element>.Actions)
  ) -> Admission<Outcome> {
    let (admission, actions) = state.withLock { body(&$0) }
    actions.perform()
    return admission
  }

  // MARK: The end of the work

  /// Report that the work on an element that was taken is done. Throws code `invalidState` if it is called more often
  /// than elements were put. Answers `task_done()`.
  public final func taskDone() throws(EventLoopError) {
    guard let actions = state.withLock({ $0.taskDone() }) else {
      throw EventLoopError(
        .invalidState, "taskDone: called more often than elements were put. Call it once for each element.")
    }
    actions.perform()
  }

  /// Wait until ``taskDone()`` has been called for every element that was put.
  public final func join() async throws {
    try await checkpoint()
    let id = state.withLock { $0.numbers.next() }
    let end = await waitCancellably(
      id, cancelled: QueueEnd<Void>.cancelled, on: self,
      enter: { joiner in self.state.withLock { $0.enterJoiner(id, joiner) } },
      leave: { id in self.state.withLock { $0.leaveJoiner(id) } })
    try end.get()
  }

  /// Shut the queue down: pending and future `put`s throw ``QueueShutDownError``, and so does a `get` that waits. The
  /// elements in the queue can still be taken, unless the shutdown is `immediate`: then they are dropped, and count as
  /// done. Answers `shutdown()`.
  public final func shutDown(immediate: Bool = false) {
    state.withLock { $0.shutDown(immediate: immediate) }.perform()
  }
}

extension Queue: WaitPoint {
  package final var waitName: String { "a queue" }
  package final var waitPlace: CallSite? { nil }
  package final var holders: [UInt] { [] }
}

/// A ``Queue`` that gives the smallest element first, and of equal ones the one that was put first. Answers asyncio's
/// `PriorityQueue`.
public final class PriorityQueue<Element: Comparable & Sendable>: Queue<Element>, @unchecked Sendable {
  /// Create an empty queue.
  public convenience init(maxSize: Int = 0) { self.init(maxSize: maxSize, storage: SmallestFirst<Element>()) }
}

/// A ``Queue`` that gives the last element first. Answers asyncio's `LifoQueue`.
public final class LifoQueue<Element: Sendable>: Queue<Element>, @unchecked Sendable {
  /// Create an empty queue.
  public convenience init(maxSize: Int = 0) { self.init(maxSize: maxSize, storage: LastInFirstOut<Element>()) }
}
