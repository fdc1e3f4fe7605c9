internal import CAsyncIO

// Messages, and waits until a descriptor may be written. They are not passed to the port: the call is tried here, and
// the port only waits for readiness (`casyncio_port_watch`) if it would block. Why:
//
// - A wait for readiness takes nothing, so a cancelled receive loses no datagram, whenever the request comes, even at
//   the end of a run. If the system ended a receive, it could bring its datagram in the same instant.
// - An ICMP error is the result of one call and then gone. In a request that is with the system it would wait behind
//   the readiness that it makes, and both directions could see it.
// - A burst costs a call for each datagram and no turn; through the ring each of them would be an event of its own, as
//   the kernel has no multishot receive with addresses that all supported versions share.
// - Callers of `.writable` make the call themselves (sendfile has none in the ring), and their memory is theirs alone.
//
// `.writable` queues after the outbox like every other write: when it completes, what was written before is with the
// system, and an error of that is its result. `.flush` is the half of it that needs no room.

extension ProactorBackend {
  func submitReceiveFrom(_ operation: IOOperation, _ stream: ProactorStream.Pointer) -> Bool {
    if takeInput(operation, stream) { return true }
    precondition(stream.pointee.reading == nil, "two operations wait to read one descriptor")
    stream.pointee.reading = .passUnretained(operation)
    operation.state = .inFlight
    if isStarted && !stream.pointee.isReceiving { startReading(stream) }
    return false
  }

  /// Take a message. Returns `true` if the receive has ended, with a message or with an error.
  func takeMessage(_ operation: IOOperation, _ stream: ProactorStream.Pointer) -> Bool {
    stream.pointee.isReadable = false
    if stream.pointee.end != Int.max {
      operation.result = stream.pointee.end
      stream.pointee.end = Int.max
      return true
    }
    operation.result = operation.tryReceiveMessage()
    return operation.result != -Int(EAGAIN)
  }

  func submitWhenWritable(_ operation: IOOperation, _ stream: ProactorStream.Pointer) -> Bool {
    precondition(stream.pointee.writing == nil, "two operations wait to write one descriptor")
    if stream.pointee.outbox.isEmpty && (takeSendError(operation, stream) || send(operation)) {
      operation.state = .done
      return true
    }
    stream.pointee.writing = .passUnretained(operation)
    operation.state = .inFlight
    if isStarted { startWriting(stream) }
    return false
  }

  /// Wait for the outbox only.
  func submitFlush(_ operation: IOOperation, _ stream: ProactorStream.Pointer) -> Bool {
    if stream.pointee.outbox.isEmpty {
      operation.end(stream.pointee.takeLost())
      return true
    }
    precondition(stream.pointee.writing == nil, "two operations wait to write one descriptor")
    stream.pointee.writing = .passUnretained(operation)
    operation.state = .inFlight
    return false
  }

  /// Take the unreported error of an earlier write. Every write is told that the stream was ended here.
  private func takeSendError(_ operation: IOOperation, _ stream: ProactorStream.Pointer) -> Bool {
    guard stream.pointee.sendError != 0 else { return false }
    operation.result = stream.pointee.takeSendError()
    return true
  }

  /// Make the call of a send. Returns `true` if it has ended.
  private func send(_ operation: IOOperation) -> Bool {
    guard operation.kind == .sendTo else { return false }
    operation.result = operation.trySendMessage()
    return operation.result != -Int(EAGAIN)
  }

  /// Handle the end of a write's wait.
  func becameWritable(_ event: casyncio_event, _ stream: ProactorStream.Pointer, _ operation: IOOperation) {
    if stream.pointee.isWriteCancelled { return endWrite(operation, -Int(ECANCELED), stream) }
    switch -Int(event.result) {
    // Because the run ends: the next one goes on with it.
    case Int(ECANCELED): return
    case Int(EINTR), Int(EAGAIN): return startIfIdle(stream)
    case ...0:
      operation.result = 0
      if operation.kind == .sendTo && !send(operation) { return startIfIdle(stream) }
      endWrite(operation, operation.result, stream)
    default: endWrite(operation, Int(event.result), stream)
    }
  }

  private func startIfIdle(_ stream: ProactorStream.Pointer) {
    if isStarted { startWriting(stream) }
  }
}
