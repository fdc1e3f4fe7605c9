internal import CAsyncIO
internal import SystemPackage

/// A pair of descriptors whose one use is to end a wait: an eventfd, or a pipe if the system has none.
struct WakeDescriptor {
  /// Tags the selector's own event; no descriptor has generation 0.
  static let token: UInt64 = 0

  let readEnd: Int32
  let writeEnd: Int32

  init() throws(Errno) {
    var readEnd: Int32 = -1
    var writeEnd: Int32 = -1
    let status = casyncio_wake_create(&readEnd, &writeEnd)
    guard status >= 0 else { throw Errno(rawValue: -status) }
    self.readEnd = readEnd
    self.writeEnd = writeEnd
  }

  func signal() { casyncio_wake_signal(writeEnd) }
  func drain() { casyncio_wake_drain(readEnd) }

  func close() {
    closeNumber(readEnd)
    if writeEnd != readEnd { closeNumber(writeEnd) }
  }
}
