internal import CAsyncIO

/// Send on a socket, without waiting. Returns the number of bytes, or the negated errno.
@inline(__always)
func sendBytes(_ socket: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
  uninterrupted { casyncio_send_once(socket, bytes, count) }
}

/// Receive from a socket, without waiting. Returns the number of bytes, 0 at the end of the stream, or the negated
/// errno.
@inline(__always)
func receiveBytes(_ socket: Int32, _ memory: UnsafeMutableRawPointer?, _ count: Int) -> Int {
  uninterrupted { casyncio_receive_once(socket, memory, count) }
}

/// Make a call again for as long as a signal interrupts it.
@inline(__always)
private func uninterrupted(_ call: () -> Int) -> Int {
  while true {
    let n = call()
    if n >= 0 { return n }
    let error = casyncio_errno()
    if error != EINTR { return -Int(error) }
  }
}

/// Close a number that nobody but the system knows: of a pipe, a child's file, a mechanism. -1 is none.
///
/// There are three ways to close, and this is the lowest. What a loop has in care is closed by `IODescriptor.close`,
/// which ends what waits for it. A socket that no descriptor has yet is closed by `SocketCalls.close`, because the
/// network may be a simulated one, which has the number and the system does not.
func closeNumber(_ fileDescriptor: Int32) {
  if fileDescriptor >= 0 { _ = casyncio_close(fileDescriptor) }
}
