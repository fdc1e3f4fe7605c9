internal import AsyncIO

/// A protocol object that lends a small buffer again and again, and keeps what was put into it. For the loop's thread.
final class BufferedProbe: BufferedProtocol {
  private var buffer: [UInt8]
  private(set) var received: [UInt8] = []
  private(set) var lost: (any Error)?
  private(set) var isLost = false
  var onUpdate: () throws -> Void = {}

  init(room: Int) { buffer = [UInt8](repeating: 0, count: room) }

  func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) {
    lend(&buffer, to: fill)
  }

  func bufferUpdated(_ count: Int) throws {
    received += buffer[..<count]
    try onUpdate()
  }

  func connectionLost(_ error: (any Error)?) {
    lost = error
    isLost = true
    onUpdate = {}
  }
}
