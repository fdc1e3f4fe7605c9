internal import CAsyncIO

// Descriptors in care: by number, each with the stream that is its part in the port, until the system has released it.

extension ProactorBackend {
  @inline(__always)
  func stream(of descriptor: IODescriptor) -> ProactorStream.Pointer {
    descriptor.stream ?? take(descriptor)
  }

  private func take(_ descriptor: IODescriptor) -> ProactorStream.Pointer {
    attach(descriptor)
    return descriptor.stream!
  }

  /// Take the descriptor into care under its number, and give it a stream.
  package func attach(_ descriptor: IODescriptor) {
    descriptor.assertLoopThread()
    let fd = Int(descriptor.fileDescriptor)
    while slots.count <= fd { slots.append(nil) }
    if let old = slots[fd], old.toOpaque() != Unmanaged.passUnretained(descriptor).toOpaque() {
      // The number was closed without the loop's knowledge and is another file's now. What waited under it has lost.
      old._withUnsafeGuaranteedRef { old in
        old.cancelWatch()
        detach(old, closing: false)
      }
    }
    if slots[fd] == nil { slots[fd] = .passRetained(descriptor) }
    if descriptor.stream == nil {
      descriptor.backendState = UnsafeMutableRawPointer(ProactorStream.make(for: descriptor))
    }
  }

  /// Return the descriptor in care under this number, if any.
  package func attached(_ fileDescriptor: Int32) -> IODescriptor? {
    let fd = Int(fileDescriptor)
    return fd >= 0 && fd < slots.count ? slots[fd]?.takeUnretainedValue() : nil
  }

  package func parked(on descriptor: IODescriptor) -> (reading: IOOperation?, writing: IOOperation?) {
    guard let stream = descriptor.stream else { return (nil, nil) }
    return (stream.pointee.reading?.takeUnretainedValue(), stream.pointee.writing?.takeUnretainedValue())
  }

  package func forEachAttached(_ body: (IODescriptor) -> Void) {
    for case let descriptor? in slots { descriptor._withUnsafeGuaranteedRef { body($0) } }
  }

  /// End the operations and detach the descriptor; its number is closed when the system has released it as well. A
  /// descriptor that closes with bytes in its outbox lingers until they are sent.
  package func detach(_ descriptor: IODescriptor, closing: Bool) {
    guard let stream = descriptor.stream, !stream.pointee.isDetached else { return }
    let fd = Int(descriptor.fileDescriptor)
    let slot = slots[fd]
    slots[fd] = nil
    defer { slot?.release() }
    stream.pointee.isDetached = true
    if let operation = stream.pointee.reading?.takeUnretainedValue() { cancelReading(operation, stream) }
    if let operation = stream.pointee.writing?.takeUnretainedValue() { cancelWriting(operation, stream) }
    dropInput(stream)
    let lingers = closing && !stream.pointee.outbox.isEmpty && !descriptor.isAbortive
    if lingers { linger(stream) } else { stopSending(stream) }
    if isStarted { casyncio_port_cancel(port, stream.receivingRecord) }
    freeIfEnded(stream)
  }

  /// Release the number. A cancelled wait holds the file until the ring is entered again, and so the address. One call
  /// ends that; its events come with the next poll.
  package func letNumberGo(of descriptor: IODescriptor) -> Bool {
    guard let stream = descriptor.stream, stream.pointee.isDetached else { return true }
    return isStarted && stream.pointee.outbox.isEmpty && casyncio_port_settle(port) != 0
  }

  /// Stop sending what was on its way.
  private func stopSending(_ stream: ProactorStream.Pointer) {
    if stream.pointee.isSending {
      stream.pointee.isWriteCancelled = true
      if isStarted { casyncio_port_cancel(port, stream.sendingRecord) }
    } else {
      stream.pointee.outbox.removeAll(&blocks)
    }
  }

  /// Free a detached stream once the system has released it, and close its number.
  @inline(__always)
  func freeIfEnded(_ stream: ProactorStream.Pointer) {
    guard stream.pointee.isDetached else { return }
    let descriptor = stream.pointee.descriptor
    if stream.pointee.isWithSystem || stream.pointee.pins > 0 || !stream.pointee.outbox.isEmpty {
      descriptor._withUnsafeGuaranteedRef { $0.isHeld = true }
      if stream.pointee.pins > 0 && !stream.pointee.isSending { hasLingered = true }
      leaving.insert(stream)
      return
    }
    leaving.remove(stream)
    // Alive until the number is closed.
    _ = descriptor.retain()
    ProactorStream.free(stream)
    descriptor._withUnsafeGuaranteedRef { $0.letGo() }
    descriptor.release()
  }
}

extension IODescriptor {
  /// The proactor's view of the descriptor.
  @inline(__always)
  var stream: ProactorStream.Pointer? {
    // Right because only the proactor backend sets it, and to nothing else.
    backendState?.assumingMemoryBound(to: ProactorStream.self)
  }
}
