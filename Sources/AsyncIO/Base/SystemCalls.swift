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
