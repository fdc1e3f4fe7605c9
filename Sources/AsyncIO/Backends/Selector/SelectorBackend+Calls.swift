internal import CAsyncIO
package import SystemPackage

// One system call per kind of operation, tried without waiting.

extension SelectorBackend {
  /// Make the system call. Returns `true` if the operation has ended, and then `result` says how; `false` if it would
  /// block.
  @inline(__always)
  func attempt(_ operation: IOOperation) -> Bool {
    switch operation.kind {
    case .receiveLent:
      // The bytes are fetched later, see above.
      operation.result = 0
      return !operation.descriptor.isInDoubt || isStillReadable(operation.descriptor)
    case .receive: return attemptReceive(operation)
    case .send: return attemptSend(operation)
    case .accept: return attemptAccept(operation)
    case .connect: return attemptConnect(operation)
    case .read: return attemptRead(operation)
    case .write: return attemptWrite(operation)
    case .ready: return attemptReady(operation, POLLIN)
    case .writable: return attemptReady(operation, POLLOUT)
    case .receiveFrom: return attemptReceiveFrom(operation)
    case .sendTo: return attemptSendTo(operation)
    case .flush: return true
    }
  }

  func attemptReceive(_ operation: IOOperation) -> Bool {
    guard !operation.descriptor.isInDoubt || isStillReadable(operation.descriptor) else { return false }
    operation.result = receive(operation.descriptor, operation.buffer, operation.count)
    return operation.result != -Int(EAGAIN)
  }

  func attemptRead(_ operation: IOOperation) -> Bool {
    guard !operation.descriptor.isInDoubt || isStillReadable(operation.descriptor) else { return false }
    let fd = operation.descriptor.fileDescriptor
    let n =
      operation.descriptor.isPipeSocket
      ? receiveBytes(fd, operation.buffer, operation.count)
      : casyncio_read(fd, operation.buffer, operation.count)
    noteInput(n, of: operation.count, operation.descriptor)
    operation.result = n
    return n != -Int(EAGAIN)
  }

  package func tryReceive(_ descriptor: IODescriptor, into memory: UnsafeMutableRawBufferPointer) -> Int {
    guard descriptor.isReadable, !descriptor.isInDoubt || isStillReadable(descriptor) else { return -Int(EAGAIN) }
    return receive(descriptor, memory.baseAddress, memory.count)
  }

  @inline(__always)
  func receive(_ descriptor: IODescriptor, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    let n = receiveBytes(descriptor.fileDescriptor, buffer, count)
    noteInput(n, of: count, descriptor)
    return n
  }

  /// Note what a call says about the next one.
  @inline(__always)
  private func noteInput(_ n: Int, of count: Int, _ descriptor: IODescriptor) {
    if n >= 0 {
      guard n < count, !descriptor.isHungUp else { return }
      if descriptor.shortReadsDrain { descriptor.isReadable = false } else { noteShortRead(descriptor) }
    } else if n == -Int(EAGAIN) {
      descriptor.isReadable = false
    }
  }

  /// Note that less came than there was room for, and more may be there. If the selector reports states the next wait
  /// will tell; if it reports changes, only a call does.
  private func noteShortRead(_ descriptor: IODescriptor) {
    if isEdgeTriggered { descriptor.isInDoubt = true } else { descriptor.isReadable = false }
  }

  /// Ask before a wait, which costs no more than a receive that finds nothing. Such a receive would take away an urgent
  /// byte that is the last one in the queue, and a task or a protocol would have a turn for nothing.
  private func isStillReadable(_ descriptor: IODescriptor) -> Bool {
    descriptor.isInDoubt = false
    if descriptor.isHungUp || casyncio_is_ready(descriptor.fileDescriptor, POLLIN) != 0 { return true }
    descriptor.isReadable = false
    return false
  }

  func attemptSend(_ operation: IOOperation) -> Bool {
    transferAll(operation) { sendBytes($0, $1, $2) }
  }

  func attemptWrite(_ operation: IOOperation) -> Bool {
    if operation.descriptor.isPipeSocket { return attemptSend(operation) }
    return transferAll(operation) { casyncio_write($0, $1, $2) }
  }

  /// Send until all bytes are gone or it would block.
  @inline(__always)
  private func transferAll(
    _ operation: IOOperation, _ call: (Int32, UnsafeRawPointer, Int) -> Int
  ) -> Bool {
    let descriptor = operation.descriptor
    while operation.transferred < operation.count {
      let n = call(
        descriptor.fileDescriptor, operation.buffer! + operation.transferred, operation.count - operation.transferred)
      if n >= 0 {
        operation.transferred += n
      } else if n == -Int(EAGAIN) {
        descriptor.isWritable = false
        return false
      } else {
        operation.result = n
        return true
      }
    }
    operation.result = operation.count
    return true
  }

  /// Send once, without waiting. Returns 0 if the socket is full.
  @inline(__always)
  package func trySend(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int {
    guard descriptor.isWritable else { return 0 }
    let n = sendBytes(descriptor.fileDescriptor, bytes.baseAddress, bytes.count)
    guard n == -Int(EAGAIN) else { return n }
    descriptor.isWritable = false
    return 0
  }

  /// A report, as for a receive.
  package var waitToSplice: IOOperation.Kind? { casyncio_can_splice() != 0 ? .receiveLent : nil }

  package func trySplice(_ descriptor: IODescriptor, into pipe: Int32, atMost count: Int) -> Int {
    guard descriptor.isReadable else { return -Int(EAGAIN) }
    let n = casyncio_splice(descriptor.fileDescriptor, pipe, count)
    // Less than there was room for says nothing: a pipe may be full with a few bytes of many packets.
    if n == -Int(EAGAIN) { descriptor.isReadable = false }
    return n
  }

  package func trySplice(from pipe: Int32, _ count: Int, to descriptor: IODescriptor) -> Int {
    guard descriptor.isWritable else { return -Int(EAGAIN) }
    let n = casyncio_splice(pipe, descriptor.fileDescriptor, count)
    if n == -Int(EAGAIN) { descriptor.isWritable = false }
    return n
  }

  /// Shut down the sending side.
  package func endWriting(_ descriptor: IODescriptor) throws(Errno) {
    let status = casyncio_shutdown(descriptor.fileDescriptor, Int32(SHUT_WR))
    if status < 0 { throw Errno(rawValue: -status) }
  }

  func attemptAccept(_ operation: IOOperation) -> Bool {
    while true {
      let fd = casyncio_accept(operation.descriptor.fileDescriptor)
      switch -fd {
      case EINTR, ECONNABORTED, EPROTO:
        // The connection that failed is gone from the queue; the next one may be fine.
        continue
      case EAGAIN:
        operation.descriptor.isReadable = false
        return false
      default:
        operation.result = Int(fd)
        return true
      }
    }
  }

  func attemptConnect(_ operation: IOOperation) -> Bool {
    let fd = operation.descriptor.fileDescriptor
    if operation.transferred == 0 {
      operation.transferred = 1
      let address = operation.buffer!.assumingMemoryBound(to: sockaddr.self)
      return beganConnect(operation, -casyncio_connect(fd, address, socklen_t(operation.count)))
    }
    return finishConnect(operation, fd)
  }

  /// Handle the errno of the first call: none, an error, or a sign that the connect goes on.
  func beganConnect(_ operation: IOOperation, _ error: Int32) -> Bool {
    switch error {
    case EINPROGRESS, EALREADY:
      operation.descriptor.isWritable = false
      return false
    case EINTR:
      // It goes on in the kernel, or never began: the same call again tells, by EALREADY or by beginning.
      operation.transferred = 0
      return attemptConnect(operation)
    default:
      operation.result = error == EISCONN ? 0 : -Int(error)
      return true
    }
  }

  func finishConnect(_ operation: IOOperation, _ fd: Int32) -> Bool {
    let result = casyncio_connect_result(fd)
    if result == -EINPROGRESS {
      operation.descriptor.isWritable = false
      return false
    }
    operation.result = Int(result)
    return true
  }
}
