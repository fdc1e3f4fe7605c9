internal import CAsyncIO
internal import Synchronization

// How operations of tasks reach the backend. A task may run anywhere: legal Swift brings a connection to a task of
// another loop, of the pool or of the main actor. So every submit compares the loop with the loop that runs in this
// thread; if they differ the record travels through the inbox and its completion resumes the task where it belongs.

extension BaseEventLoop {
  /// What is left to do after an operation was begun.
  enum Begun {
    /// Nothing: its result is in the record; a cancelled task finds `-ECANCELED` there.
    case ended
    /// Suspend; the server that owns the task cancels the operation itself, so no handler is needed.
    case waitingOwned
    /// Suspend with a cancellation handler, or pass the operation to the loop's thread.
    case waiting
    /// Suspend for a turn: this task has not had to wait for a long time, and others must run.
    case othersFirst
  }

  /// Submit an operation, in whatever thread the task runs, unless the task was cancelled. The caller holds the claim
  /// of the record and then does what the answer says; ``complete(_:)`` does both in one call. Apart, they save a hop
  /// check in a hot loop.
  @inline(__always)
  final func begin(_ operation: IOOperation) -> Begun {
    assert(operation.state != .inFlight, "a record in flight was begun anew: only its owner may, when it has ended")
    operation.sequence &+= 1
    let task = casyncio_current_task()
    if let task, casyncio_is_task_cancelled(task) {
      operation.end(-Int(ECANCELED))
      return .ended
    }
    guard isRunningInThisThread else {
      operation.state = .idle
      return .waiting
    }
    let descriptor = operation.descriptor
    // A task may have been on its way from one operation to the next when the connection was closed. The number may
    // already be the next connection's.
    if descriptor.isClosed {
      operation.end(-Int(EBADF))
      return .ended
    }
    if submit(operation) { return spend(Self.operationWeight) ? .othersFirst : .ended }
    guard let owner = descriptor.owner, owner == task else { return .waiting }
    return .waitingOwned
  }

  /// Submit and suspend until the operation has ended.
  @inline(__always)
  final func complete(_ operation: IOOperation) async {
    switch begin(operation) {
    case .ended: return
    case .waitingOwned: await withUnsafeContinuation { operation.park($0) }
    case .waiting: await completeCancellably(operation)
    case .othersFirst: await completeInNextTurn(operation)
    }
  }

  /// Do the same with a cancellation handler for this one operation.
  ///
  /// The isolation is passed to the closure by hand: without it the closure of `withTaskCancellationHandler` runs
  /// wherever the task prefers, and for an actor of the loop whose task has no preference that is a thread of the pool.
  /// The completion could then come before the task waits for it.
  ///
  /// Not inlined: what it needs would be in the frame of every task that reads or writes, for as long as it lives.
  @inline(never)
  final func completeCancellably(
    _ operation: IOOperation, isolation: isolated (any Actor)? = #isolation
  ) async {
    let sequence = operation.sequence
    operation.hasHandler = true
    await withTaskCancellationHandler {
      _ = isolation
      return await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        switch operation.state {
        case .inFlight: operation.park(continuation)
        // If the task was cancelled before, the handler has already run, and the operation has ended with it.
        case .done: continuation.resume()
        case .idle:
          operation.park(continuation)
          post(operation)
        }
        // A cancel that came between the handler's check and the post was sent before the operation.
        if Task.isCancelled { requestCancel(operation, sequence: sequence) }
      }
    } onCancel: {
      requestCancel(operation, sequence: sequence)
    }
    casyncio_lock_taken(Unmanaged.passUnretained(operation).toOpaque())
    operation.hasHandler = false
  }

  private final func post(_ operation: IOOperation) {
    guard !intake.post(operation, .submit) else { return }
    operation.state = .inFlight
    operation.complete(-Int(ECANCELED))
  }

  /// Submit a posted operation that has arrived.
  final func submitNow(_ operation: IOOperation) {
    assertLoopThread()
    if operation.descriptor.isClosed {
      operation.state = .inFlight
      operation.complete(-Int(ECANCELED))
    } else if submit(operation) {
      operation.state = .inFlight
      operation.complete(operation.result)
    }
  }

  /// Ask for the end of one use of a record, from any thread. A request that comes after that use has ended does
  /// nothing to the next one.
  final func requestCancel(_ operation: IOOperation, sequence: UInt64) {
    if isRunningInThisThread {
      // Before the suspension there is no task to resume: the handler then runs inside the task itself, which finds its
      // cancellation by its own check.
      if operation.sequence == sequence && operation.state == .inFlight { cancel(operation) }
    } else {
      perform { loop in
        if operation.sequence == sequence && operation.state == .inFlight { loop.cancel(operation) }
      }
    }
  }

  // MARK: Deferred completions

  /// Deliver an operation that has ended in the next turn, after a poll: a task whose operations never have to wait
  /// must let others run.
  @inline(never)
  final func completeInNextTurn(_ operation: IOOperation) async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      operation.park(continuation)
      completeNextTurn(operation)
    }
  }

  /// Complete the operation in the next turn with the result that it has.
  final func completeNextTurn(_ operation: IOOperation) {
    assertLoopThread()
    assert(operation.state != .inFlight, "an operation in flight was deferred")
    operation.state = .inFlight
    deferred.append(DeferredOperation(operation: operation, turn: turns))
  }

  /// Note that something goes on in the next turn without an event.
  @inline(__always)
  final var hasDeferred: Bool { !deferred.isEmpty || !yielding.isEmpty }

  /// Complete what was put off before this turn: a transport whose bytes a poll has brought may find more, or the end,
  /// at once, and put it off in the poll itself.
  final func completeDeferred(before turn: UInt64) {
    assertLoopThread()
    // By number: what goes on now may add to the lists, for the turn after this one.
    let operations = deferred.firstIndex { $0.turn >= turn } ?? deferred.count
    for index in 0..<operations { deferred[index].operation.complete(deferred[index].operation.result) }
    deferred.removeFirst(operations)
    // Tasks do not run in a poll.
    let tasks = yielding.count
    for index in 0..<tasks { yielding[index].resume() }
    yielding.removeFirst(tasks)
  }

  // MARK: Descriptors

  /// End pending operations of a descriptor and close it, in the loop's thread or when there will be none any more.
  final func closeDescriptor(_ descriptor: IODescriptor) {
    if isRunningInThisThread { return closeDescriptorNow(descriptor) }
    guard !intake.post(descriptor, .closeDescriptor) else { return }
    numbers.withLock { _ in descriptor.closeNumber() }
  }

  final func closeDescriptorNow(_ descriptor: IODescriptor) {
    assertLoopThread()
    if let layer = descriptor.layer, !isClosed, layer.takesOverClose() { return }
    finishClosing(descriptor)
  }

  /// Close the number: nothing more is to be said to the peer.
  final func finishClosing(_ descriptor: IODescriptor) {
    assertLoopThread()
    if !isClosed {
      countBytes(of: descriptor)
      backend.detach(descriptor, closing: true)
    }
    numbers.withLock { _ in descriptor.closeNumber() }
  }

  /// Use the number of a descriptor for a system call that does not wait, in any thread. Returns nil if the descriptor
  /// is closed, or about to be; its number may then be another file's. A descriptor is marked before its number is
  /// given back, and that happens under the lock, so a number that is found unmarked here stays valid until the call is
  /// over. The loop's thread, which is the one that gives numbers back while it runs, need not wait for any other.
  final func withNumber<R: Sendable>(of descriptor: IODescriptor, _ body: (Int32) -> R) -> R? {
    func use() -> R? { descriptor.isClosed ? nil : body(descriptor.fileDescriptor) }
    return isRunningInThisThread ? use() : numbers.withLock { _ in use() }
  }
}

/// An operation that has ended, and is told of it in a later turn than this one.
struct DeferredOperation {
  let operation: IOOperation
  let turn: UInt64
}
