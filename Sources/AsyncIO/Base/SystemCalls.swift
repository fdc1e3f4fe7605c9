internal import CAsyncIO

/// Make a system call again for as long as a signal interrupts it. Returns its result, or the negated errno.
@inline(__always)
func uninterrupted(_ call: () -> Int) -> Int {
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
  if fileDescriptor >= 0 { _ = CAsyncIO.close(fileDescriptor) }
}
