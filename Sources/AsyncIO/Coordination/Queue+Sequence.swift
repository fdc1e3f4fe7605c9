extension Queue: AsyncSequence {
  /// Takes elements for one loop over the queue.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let queue: Queue

    /// Take the next element, like ``Queue/get()``; nil when the queue was shut down and is empty. Throws
    /// `CancellationError`, and has then taken nothing.
    public mutating func next() async throws -> Element? {
      do { return try await queue.get() } catch is QueueShutDownError { return nil }
    }
  }

  /// Iterate over what is put into the queue: `for try await job in queue`.
  ///
  /// The iteration takes each element, waits while there is none, and ends when the queue was shut down and is empty.
  /// Every element goes to one iteration only, so several of them share the work; they are served in the order in which
  /// they wait. A priority queue gives each the element that is smallest at that moment. Calling ``Queue/taskDone()``
  /// is up to the body of the loop.
  public final func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: self) }
}
