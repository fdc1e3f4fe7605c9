internal import CAsyncIO
internal import Synchronization

// How operations of tasks reach the backend. A task may run anywhere: legal Swift brings a connection to a task of
// another loop, of the pool or of the main actor. So every submit compares the loop with the one that runs in this
// thread; if they differ the record travels through the inbox and its completion resumes the task where it belongs.

extension BaseEventLoop {
  /// Submits and suspends until the operation has ended, in whatever thread the task runs. The caller holds the claim
  /// of the record.
  @inline(__always)
  final func complete(_ operation: IOOperation, ownedByTask: Bool) async {
    operation.sequence &+= 1
    if isRunningInThisThread {
      if backend.submit(operation) { return }
      if ownedByTask {
        // The server that owns this task cancels the operation itself: no handler needed.
        await withUnsafeContinuation { operation.continuation = $0 }
        return
      }
    } else {
      operation.state = .idle
    }
    await completeCancellably(operation)
  }

  /// The same with a cancellation handler for this one operation.
  private final func completeCancellably(_ operation: IOOperation) async {
    let sequence = operation.sequence
    await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        operation.continuation = continuation
        guard operation.state != .inFlight else { return }
        post(operation)
        // A cancel that came between the check of the handler and the post was sent before the operation.
        if Task.isCancelled { requestCancel(operation, sequence: sequence) }
      }
    } onCancel: {
      requestCancel(operation, sequence: sequence)
    }
  }

  private final func post(_ operation: IOOperation) {
    guard !intake.post(LoopWord(operation, .submit)) else { return }
    Unmanaged.passUnretained(operation).release()
    operation.state = .inFlight
    operation.complete(-Int(ECANCELED))
  }

  /// A posted operation arrives.
  final func submitNow(_ operation: IOOperation) {
    if operation.descriptor.isClosed {
      operation.state = .inFlight
      operation.complete(-Int(ECANCELED))
    } else if backend.submit(operation) {
      operation.state = .inFlight
      operation.complete(operation.result)
    }
  }

  /// Asks for the end of one use of a record, from any thread. A request that comes after that use has ended does
  /// nothing to the next one.
  final func requestCancel(_ operation: IOOperation, sequence: UInt64) {
    if isRunningInThisThread {
      // Before the suspension there is nobody to resume yet: the handler then runs inside the task itself, which
      // finds its cancellation by its own check.
      if operation.sequence == sequence && operation.state == .inFlight { backend.cancel(operation) }
    } else {
      perform { loop in
        if operation.sequence == sequence && operation.state == .inFlight { loop.backend.cancel(operation) }
      }
    }
  }

  // MARK: Deferred completions

  /// Ends an operation in the next turn, after a poll: how a task that never has to wait lets others in.
  @inline(__always)
  final func completeNextTurn(_ operation: IOOperation) {
    operation.state = .inFlight
    deferred.append(operation)
  }

  final func completeDeferred() {
    let batch = deferred
    deferred = []
    for operation in batch { operation.complete(operation.result) }
  }

  // MARK: Descriptors

  /// Ends what waits on a descriptor and closes it, in the loop's thread or when there will be none any more.
  final func closeDescriptor(_ descriptor: IODescriptor) {
    if isRunningInThisThread { return closeDescriptorNow(descriptor) }
    guard !intake.post(LoopWord(descriptor, .closeDescriptor)) else { return }
    Unmanaged.passUnretained(descriptor).release()
    _ = CAsyncIO.close(descriptor.fileDescriptor)
  }

  final func closeDescriptorNow(_ descriptor: IODescriptor) {
    if !isClosed { backend.detach(descriptor, closing: true) }
    _ = CAsyncIO.close(descriptor.fileDescriptor)
  }

  final func detachDescriptor(_ descriptor: IODescriptor, closing: Bool) {
    perform { $0.backend.detach(descriptor, closing: closing) }
  }
}
