extension Queue: AsyncSequence {
  /// Takes elements for one loop over the queue.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let queue: Queue

    /// The next element, as ``Queue/get()`` takes it; nil when the queue was shut down and is empty. Throws
    /// `CancellationError`, and has taken nothing then.
    public mutating func next() async throws -> Element? {
      do { return try await queue.get() } catch is QueueShutDownError { return nil }
    }
  }

  /// A loop over what is put into the queue: `for try await job in queue`.
  ///
  /// It takes each element, waits where there is none, and ends when the queue was shut down and is empty. Every
  /// element goes to one loop only, so several loops share the work; they are served in the order in which they wait. A
  /// priority queue gives each the smallest element of its time. ``Queue/taskDone()`` is the loop's own to call.
  public final func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: self) }
}
