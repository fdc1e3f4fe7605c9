internal import CAsyncIO

// Messages, and waits that take nothing. Two rules of streams do not hold here:
//
// - A message that is shorter than the room for it says nothing about the next one, so only EAGAIN means "drained".
// - A wait that takes nothing clears no bit by its call, and the caller that asked makes the call itself: a bit that an
//   earlier report set may be stale. So the system is asked, and asking also makes it report the next change.

extension SelectorBackend {
  func attemptReceiveFrom(_ operation: IOOperation) -> Bool {
    operation.result = operation.tryReceiveMessage()
    guard operation.result == -Int(EAGAIN) else { return true }
    operation.descriptor.isReadable = false
    return false
  }

  func attemptSendTo(_ operation: IOOperation) -> Bool {
    operation.result = operation.trySendMessage()
    guard operation.result == -Int(EAGAIN) else { return true }
    operation.descriptor.isWritable = false
    return false
  }

  /// - Parameter event: POLLIN or POLLOUT.
  func attemptReady(_ operation: IOOperation, _ event: Int32) -> Bool {
    operation.result = 0
    if casyncio_is_ready(operation.descriptor.fileDescriptor, event) != 0 { return true }
    if event == POLLIN { operation.descriptor.isReadable = false } else { operation.descriptor.isWritable = false }
    return false
  }
}
