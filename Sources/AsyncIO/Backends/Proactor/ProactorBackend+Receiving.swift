internal import CAsyncIO

// What brings something in: receives, lent receives, accepts. All of them use the stream's receiving record, one at a
// time; a lent receive and an accept stay with the system over many events, whether a task waits or not.

extension ProactorBackend {
  /// The number of bytes that a stream may queue before it is paused.
  private static var queueLimit: Int { 256 * 1024 }

  // MARK: Starting

  /// Start what the waiting operation needs, unless it is already with the system.
  func startReading(_ stream: ProactorStream.Pointer) {
    guard !stream.pointee.isReceiving, !stream.pointee.holdsEnd, let operation = stream.pointee.reading else { return }
    let record = stream.receivingRecord
    stream.pointee.isReadCancelled = false
    stream.pointee.isReceiving = true
    operation._withUnsafeGuaranteedRef { operation in
      let fd = operation.descriptor.fileDescriptor
      switch operation.kind {
      case .accept: casyncio_port_accept(port, record, fd)
      case .receive: casyncio_port_receive(port, record, fd, operation.buffer!, operation.count)
      case .read: casyncio_port_read(port, record, fd, operation.buffer!, operation.count)
      case .ready, .receiveFrom: casyncio_port_watch(port, record, fd, UInt32(CASYNCIO_READABLE))
      default:
        if hasLent && casyncio_lent_is_low(lent) == 0 {
          casyncio_port_receive_lent(port, record, fd)
        } else {
          casyncio_port_watch(port, record, fd, UInt32(CASYNCIO_READABLE))
        }
      }
    }
  }

  /// Receive what nobody has asked for, if there is room for it.
  func receiveAhead(_ stream: ProactorStream.Pointer) {
    guard isStarted, hasLent, !stream.pointee.isReceiving, !stream.pointee.holdsEnd else { return }
    guard stream.pointee.chunks.byteCount < Self.queueLimit, casyncio_lent_is_low(lent) == 0 else { return }
    stream.pointee.isReadCancelled = false
    stream.pointee.isReceiving = true
    let fd = stream.pointee.descriptor._withUnsafeGuaranteedRef { $0.fileDescriptor }
    casyncio_port_receive_lent(port, stream.receivingRecord, fd)
  }

  // MARK: What is there already

  /// Serve an operation from what has come. Returns `true` if it has ended.
  func takeInput(_ operation: IOOperation, _ stream: ProactorStream.Pointer) -> Bool {
    switch operation.kind {
    case .receiveLent: operation.result = 0  // The bytes are claimed later.
    case .accept: operation.result = takeConnection(stream)
    case .ready:
      operation.result = stream.pointee.end == Int.max ? 0 : takeEnd(stream)
      stream.pointee.isReadable = false
    case .receiveFrom: guard takeMessage(operation, stream) else { return false }
    default:
      if stream.pointee.chunks.isEmpty && stream.pointee.end == Int.max {
        // Readable: the system will not have to wait.
        stream.pointee.isReadable = false
        return false
      }
      operation.result = copyInput(operation, stream)
    }
    operation.state = .done
    return true
  }

  private func takeConnection(_ stream: ProactorStream.Pointer) -> Int {
    stream.pointee.chunks.isEmpty ? takeEnd(stream) : stream.pointee.chunks.removeFirst().count
  }

  private func takeEnd(_ stream: ProactorStream.Pointer) -> Int { stream.pointee.takeEnd() }

  /// Copy lent bytes to where the operation wants them: a stream that was read chunk by chunk is now read otherwise.
  private func copyInput(_ operation: IOOperation, _ stream: ProactorStream.Pointer) -> Int {
    guard !stream.pointee.chunks.isEmpty else { return takeEnd(stream) }
    let chunk = stream.pointee.chunks.firstChunk
    let n = min(chunk.count, operation.count)
    operation.buffer!.copyMemory(from: chunk.bytes!, byteCount: n)
    if n < chunk.count {
      stream.pointee.chunks.dropFirst(n)
    } else {
      casyncio_lent_return(lent, stream.pointee.chunks.removeFirst().lease)
    }
    return n
  }

  /// Give back what came for a descriptor that is no longer read.
  func dropInput(_ stream: ProactorStream.Pointer) {
    while !stream.pointee.chunks.isEmpty {
      let chunk = stream.pointee.chunks.removeFirst()
      if chunk.bytes != nil { casyncio_lent_return(lent, chunk.lease) } else { close(chunk) }
    }
  }

  /// Close a connection that was accepted while no call waited. Not through the loop, which may be on its way out.
  private func close(_ connection: Chunk) { SystemSockets.shared.close(Int32(connection.count)) }

  // MARK: Events

  @inline(__always)
  func received(_ event: casyncio_event, _ stream: ProactorStream.Pointer) {
    if event.flags & UInt32(CASYNCIO_EVENT_LENT) != 0 {
      stream.pointee.chunks.append(Chunk(bytes: event.bytes, count: Int(event.result), lease: event.lease))
      if stream.pointee.reading != nil { return serve(stream) }
      return bytesForNobody(stream)
    }
    receivedRarely(event, stream)
  }

  /// End the waiting operation with what has arrived.
  @inline(__always)
  func serve(_ stream: ProactorStream.Pointer) {
    guard let parked = stream.pointee.reading else { return }
    parked._withUnsafeGuaranteedRef { operation in
      guard takeInput(operation, stream) else { return startIfIdle(stream) }
      // The stream is not touched after the completion, which may release it.
      stream.pointee.reading = nil
      operation.state = .inFlight
      operation.complete(operation.result)
    }
  }

  /// Handle bytes that no task waits for: it holds its chunk, or is busy, or gone. What it may find later is bounded.
  private func bytesForNobody(_ stream: ProactorStream.Pointer) {
    if stream.pointee.isDetached {
      dropInput(stream)
      return freeIfEnded(stream)
    }
    let isTooMuch = stream.pointee.chunks.byteCount >= Self.queueLimit || casyncio_lent_is_low(lent) != 0
    if isTooMuch && isStarted { casyncio_port_cancel(port, stream.receivingRecord) }
  }

  private func receivedRarely(_ event: casyncio_event, _ stream: ProactorStream.Pointer) {
    // Strong: what happens here may release the descriptor.
    let descriptor = stream.pointee.descriptor.takeUnretainedValue()
    if descriptor.isWatch { return watchReported(event, stream, of: descriptor) }
    let result = Int(event.result)
    // Readiness of a listening socket is also a number, but not that of a connection.
    let isAccept = event.record.pointee.kind == UInt8(CASYNCIO_KIND_ACCEPT)
    if isAccept && result >= 0 { return accepted(result, stream) }
    if stream.pointee.isDetached { return endedDetached(result, stream) }
    switch -result {
    // Requested by this backend: a pause, or the end of the run.
    case Int(ECANCELED) where !stream.pointee.isReadCancelled: startIfIdle(stream)
    // No lent memory: readiness, then.
    case Int(ENOBUFS) where event.record.pointee.kind == UInt8(CASYNCIO_KIND_RECEIVE_LENT): startReadiness(stream)
    // One connection failed before it was accepted; the next one may be fine.
    case Int(ECONNABORTED) where descriptor.isListening, Int(EPROTO) where descriptor.isListening: startIfIdle(stream)
    case Int(EINTR), Int(EAGAIN):
      if stream.pointee.isReadCancelled {
        ended(-Int(ECANCELED), event.record.pointee.kind, stream)
      } else {
        startIfIdle(stream)
      }
    default: ended(result, event.record.pointee.kind, stream)
    }
  }

  private func startIfIdle(_ stream: ProactorStream.Pointer) {
    if isStarted { startReading(stream) }
  }

  private func startReadiness(_ stream: ProactorStream.Pointer) {
    guard isStarted, !stream.pointee.isReceiving, let parked = stream.pointee.reading else { return }
    parked._withUnsafeGuaranteedRef { operation in
      guard operation.kind == .receiveLent else { return startReading(stream) }
      stream.pointee.isReceiving = true
      casyncio_port_watch(port, stream.receivingRecord, operation.descriptor.fileDescriptor, UInt32(CASYNCIO_READABLE))
    }
  }

  /// Handle the end of the record's operation for good: the end of the stream, an error, readiness, or bytes in the
  /// caller's memory.
  private func ended(_ result: Int, _ kind: UInt8, _ stream: ProactorStream.Pointer) {
    if result == 0 && kind != UInt8(CASYNCIO_KIND_WATCH) && isUnsettled(stream) { return holdEnd(stream) }
    guard Self.isForCallersMemory(kind), let parked = stream.pointee.reading else {
      note(result, kind, stream)
      return stream.pointee.reading == nil ? tellEnd(stream) : serve(stream)
    }
    // The stream is not touched after the completion, which may release it.
    stream.pointee.reading = nil
    parked._withUnsafeGuaranteedRef { $0.complete(result) }
  }

  /// Handle the last event of a detached stream. An operation that still waits, waits for memory that was with the
  /// system.
  private func endedDetached(_ result: Int, _ stream: ProactorStream.Pointer) {
    if let parked = stream.pointee.reading {
      stream.pointee.reading = nil
      parked._withUnsafeGuaranteedRef { $0.complete(result) }
    }
    freeIfEnded(stream)
  }

  private func note(_ result: Int, _ kind: UInt8, _ stream: ProactorStream.Pointer) {
    if kind == UInt8(CASYNCIO_KIND_WATCH) && result >= 0 {
      stream.pointee.isReadable = true
    } else {
      stream.pointee.end = result
    }
  }

  private func accepted(_ number: Int, _ stream: ProactorStream.Pointer) {
    // The system takes the lowest number, even that of a standard stream that is closed.
    let fd = Int(casyncio_above_standard(Int32(number)))
    guard fd >= 0 else { return lostAtNumber(fd, stream) }
    stream.pointee.chunks.append(Chunk(bytes: nil, count: fd))
    if stream.pointee.reading != nil { return serve(stream) }
    if stream.pointee.isDetached {
      dropInput(stream)
      freeIfEnded(stream)
    } else if isStarted {
      // No task takes connections: leave the others in the system's queue.
      casyncio_port_cancel(port, stream.receivingRecord)
    }
  }

  /// Handle a connection that got no number it could keep: a shortage, like the system's own.
  private func lostAtNumber(_ error: Int, _ stream: ProactorStream.Pointer) {
    if stream.pointee.isDetached { return freeIfEnded(stream) }
    if isStarted { casyncio_port_cancel(port, stream.receivingRecord) }
    stream.pointee.end = error
    serve(stream)
  }

  private static func isForCallersMemory(_ kind: UInt8) -> Bool {
    kind == UInt8(CASYNCIO_KIND_RECEIVE) || kind == UInt8(CASYNCIO_KIND_READ)
  }

  // MARK: Cancelling

  func cancelReading(_ operation: IOOperation, _ stream: ProactorStream.Pointer) {
    // Only a receive into the caller's memory has to end in the system; other waits end here.
    if stream.pointee.isReceiving && Self.isForCallersMemory(stream.pointee.receiving.kind) {
      stream.pointee.isReadCancelled = true
      if isStarted { casyncio_port_cancel(port, stream.receivingRecord) }
      return
    }
    stream.pointee.reading = nil
    operation.complete(-Int(ECANCELED))
  }

  // MARK: Lent bytes

  /// Take the next chunk of the queue, or the end of the stream. If lent memory is short, fetch bytes that are there.
  @inline(__always)
  package func claimLent(_ operation: IOOperation) -> Bool {
    guard let stream = operation.descriptor.stream else {
      operation.buffer = nil
      operation.result = -Int(EBADF)
      return true
    }
    guard !stream.pointee.chunks.isEmpty else { return claimRarely(operation, stream) }
    let chunk = stream.pointee.chunks.removeFirst()
    operation.buffer = chunk.bytes
    operation.result = chunk.count
    operation.count = 0
    operation.backendWord = UInt(chunk.lease) << 1 | 1
    return true
  }

  private func claimRarely(_ operation: IOOperation, _ stream: ProactorStream.Pointer) -> Bool {
    operation.buffer = nil
    if defersEnd(stream) { return false }
    if stream.pointee.end != Int.max {
      operation.result = takeEnd(stream)
      return true
    }
    guard stream.pointee.isReadable else { return false }
    stream.pointee.isReadable = false
    return claimReadable(operation)
  }

  /// Fetch bytes into the pool for times of shortage.
  private func claimReadable(_ operation: IOOperation) -> Bool {
    let buffer = pool.take()
    let n = receiveBytes(operation.descriptor.fileDescriptor, buffer.base, buffer.capacity)
    if n > 0 {
      let lent = pool.lend(buffer, filled: n)
      operation.buffer = lent.base
      operation.count = lent.capacity
      operation.result = n
      operation.backendWord = 0
      return true
    }
    pool.giveBack(buffer.base, capacity: buffer.capacity)
    operation.result = n
    if n == 0, let stream = operation.descriptor.stream, isUnsettled(stream) {
      holdEnd(stream)
      return false
    }
    return n != -Int(EAGAIN)
  }

  /// Give the chunk back to the port, or to the pool that stood in for it. After `close()` from any thread.
  @inline(__always)
  package func returnLent(_ operation: IOOperation) {
    guard let buffer = operation.buffer else { return }
    operation.buffer = nil
    let word = operation.backendWord
    if word & 1 != 0 {
      casyncio_lent_return(lent, UInt32(truncatingIfNeeded: word >> 1))
    } else if !pool.frees(buffer) {
      pool.giveBack(buffer, capacity: operation.count)
    }
  }
}
