internal import CAsyncIO
package import SystemPackage

// `addReader` and `addWriter`: waits for readiness, one for each direction, with the stream's two records.

extension ProactorBackend {
  /// Arm a poll of the ring for what is waited for, or remove it.
  package func watch(_ descriptor: IODescriptor, readable: Bool, writable: Bool) throws(Errno) {
    guard readable || writable else { return detach(descriptor, closing: false) }
    attach(descriptor)
    guard let stream = descriptor.stream, isStarted else { return }
    armWatch(stream)
    if !readable { casyncio_port_cancel(port, stream.receivingRecord) }
    if !writable { casyncio_port_cancel(port, stream.sendingRecord) }
  }

  /// Wait for what the callbacks want and is not yet waited for.
  func armWatch(_ stream: ProactorStream.Pointer) {
    stream.pointee.descriptor._withUnsafeGuaranteedRef { descriptor in
      let fd = descriptor.fileDescriptor
      if descriptor.watch?.waitsToRead == true && !stream.pointee.isReceiving {
        stream.pointee.isReceiving = true
        casyncio_port_watch(port, stream.receivingRecord, fd, UInt32(CASYNCIO_READABLE))
      }
      if descriptor.watch?.waitsToWrite == true && !stream.pointee.isSending {
        stream.pointee.isSending = true
        casyncio_port_watch(port, stream.sendingRecord, fd, UInt32(CASYNCIO_WRITABLE))
      }
    }
  }

  /// Handle the end of one wait of a watch. The wait begins anew before the next poll, after the callbacks have run: so
  /// a callback that leaves something unread is called again, as with the other loops.
  func watchReported(_ event: casyncio_event, _ stream: ProactorStream.Pointer, of descriptor: IODescriptor) {
    guard !stream.pointee.isDetached else { return freeIfEnded(stream) }
    // A number that was closed. One that was reused is found out before the callback runs.
    guard event.result != -Int64(EBADF) else { return detach(descriptor, closing: false) }
    let isReader = event.record == stream.receivingRecord
    // An error is for the callback to find.
    if event.result != -Int64(ECANCELED) { descriptor.deliverWatch(readable: isReader, writable: !isReader) }
    guard isStarted else { return }
    stream.pointee.pins += 1
    watchesToArm.append(stream)
  }

  func armWatches() {
    for stream in takeWatchesToArm() { armWatch(stream) }
  }

  /// Forget them as the run ends; the next one arms everything.
  func forgetWatchesToArm() { _ = takeWatchesToArm() }

  private func takeWatchesToArm() -> [ProactorStream.Pointer] {
    let batch = watchesToArm
    watchesToArm = []
    return batch.filter { stream in
      let isDetached = stream.pointee.isDetached
      unpin(stream)
      return !isDetached
    }
  }
}
