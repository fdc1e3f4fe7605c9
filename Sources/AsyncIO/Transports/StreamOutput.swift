internal import CAsyncIO
internal import Logging

// The output of a stream of bytes, to a socket or to a pipe: what the system takes is sent inside `write`; the rest
// waits and follows in order. The traps:
//
// - The protocol may do anything in `pauseWriting` and `resumeWriting`: write more, close, abort. So it is called when
//   the books are right again, and nothing that was read before the call is believed after it.
// - It is asked to pause before the rest is handed over. The part that is handed over ends where the protocol may go
//   on; if it were handed over first, it could end before there was a pause, and nothing would end the pause.
// - The memory of a send is in use until the send has ended, even if the transport is aborted meanwhile.

/// A transport that writes a stream of bytes, in its own thread.
protocol StreamOutput: BaseTransport {
  /// The bytes that wait, from the first one that is not known to have been sent.
  var outgoing: OutgoingBytes { get set }
  /// The record of the bytes on their way.
  var sending: IOOperation { get }
  /// Return how many bytes the system takes without waiting, or the negated number of its error.
  func trySend(_ bytes: UnsafeRawBufferPointer) -> Int
  /// Do what had to wait for the last byte: nothing waits any more.
  func drain()
  /// Keep the transport alive while the backend knows its operations.
  func hold()
  /// End the transport after a failed system call.
  func lose(_ result: Int, _ operation: String)
}

extension StreamOutput {
  /// Return whether bytes may be written, and are to be sent. Throws code `invalidState` after the end of the stream.
  @inline(__always)
  func admitsWrite(isEmpty: Bool, _ operation: String) throws(EventLoopError) -> Bool {
    switch life.write(isEmpty: isEmpty) {
    case .send: return true
    case .discard: return false
    case .discardLoudly:
      core.logger.warning("\(description): bytes written after the end are dropped")
      return false
    case .refuse:
      throw EventLoopError(
        .invalidState, "\(operation): the end of the stream has already been written. Write before writeEOF().")
    }
  }

  @inline(__always)
  func send(_ bytes: UnsafeRawBufferPointer) {
    var sent = 0
    if outgoing.isEmpty {
      sent = trySend(bytes)
      if sent == bytes.count { return }
      if sent < 0 { return lose(sent, "write") }
    }
    outgoing.append(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
    act(on: flow.update(waitingBytes))
    sendRest()
  }

  /// Hand over what waits, until it has to wait for the system or nothing is left. While the protocol is paused, the
  /// first part ends where the protocol may go on.
  func sendRest() {
    while sending.state != .inFlight, !outgoing.isEmpty, life.phase < .ending {
      let bytes = outgoing.next(flow.bytesToResume(outgoing.count))
      sending.buffer = bytes.baseAddress
      sending.count = bytes.count
      sending.transferred = 0
      sending.sequence &+= 1
      guard core.submit(sending) else { break }
      takeResult()
    }
    hold()
  }

  /// Handle the end of what was handed over.
  func sent() {
    takeResult()
    sendRest()
  }

  /// Take a result: the books first, then the protocol, then what waited for the last byte.
  private func takeResult() {
    sending.buffer = nil
    guard life.phase < .ending else { return outgoing.removeAll() }
    guard sending.result >= 0 else { return lose(sending.result, "write") }
    outgoing.consume(sending.count)
    // The result of a write in `resumeWriting` that was sent at once. More may follow, so the last byte counts as gone
    // when that call returns.
    if flow.isTelling { return act(on: flow.update(outgoing.count)) }
    flow.isTelling = true
    act(on: flow.update(outgoing.count))
    flow.isTelling = false
    if outgoing.isEmpty { drain() }
  }

  /// Drop what waits. Bytes with the system stay in place until it has let go of them.
  func dropOutput() {
    if sending.state == .inFlight { core.cancel(sending) } else { outgoing.removeAll() }
  }

  /// The number of bytes that are not with the system. An aborted transport has none, whatever memory it still has.
  /// With nothing waiting, something else may use the record, for instance a file.
  var waitingBytes: Int {
    if life.phase >= .ending || outgoing.isEmpty { return 0 }
    return outgoing.count - (sending.state == .inFlight ? sending.transferred : 0)
  }
}
