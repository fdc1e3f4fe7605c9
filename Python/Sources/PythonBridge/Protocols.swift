@_spi(Embedding) import AsyncIO
import CSeam

// Protocol objects whose methods are Python's.

/// What they share: the Python transport, with one reference, until Swift's transport forgets its protocol.
///
/// In the loop's thread, which has the GIL; the end takes it.
class PythonProtocol {
  let python: UnsafeMutableRawPointer
  /// Another one has the transport, which goes on.
  final var isReplaced = false

  init(_ python: UnsafeMutableRawPointer) { self.python = python }
  deinit { if isReplaced { aiopy_release(python) } else { aiopy_gone(python) } }

  /// Throw what a call has raised.
  @inline(__always)
  final func check(_ status: Int32) throws {
    if status < 0 { throw status == -2 ? PythonInterrupt() as any Error : PythonError.current() }
  }

  /// Tell the protocol of its transport. Python's has Swift's already, or takes a reference to it now.
  final func made(_ transport: BaseTransport) throws {
    try check(aiopy_made(python, Unmanaged.passUnretained(transport).toOpaque()))
  }

  final func lost(_ error: (any Error)?) throws { try check(withFailure(error) { aiopy_lost(python, $0) }) }
  func pauseWriting() throws { try check(aiopy_pause(python, true)) }
  func resumeWriting() throws { try check(aiopy_pause(python, false)) }

  func eofReceived() throws -> Bool {
    let answer = aiopy_eof(python)
    try check(answer)
    return answer == 1
  }
}

/// A protocol that receives bytes as they come.
final class PythonStreamProtocol: PythonProtocol, StreamProtocol {
  func connectionMade(_ transport: BaseTransport) throws { try made(transport) }
  func connectionLost(_ error: (any Error)?) throws { try lost(error) }
  func dataReceived(_ bytes: RawSpan) throws {
    try check(bytes.withUnsafeBytes { aiopy_data(python, $0.baseAddress, $0.count) })
  }
}

/// A protocol that provides the memory for its bytes.
final class PythonBufferedProtocol: PythonProtocol, BufferedProtocol {
  func connectionMade(_ transport: BaseTransport) throws { try made(transport) }
  func connectionLost(_ error: (any Error)?) throws { try lost(error) }

  func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) throws {
    var base: UnsafeMutableRawPointer?
    var count = 0
    try check(aiopy_get_buffer(python, sizeHint, &base, &count))
    // Right because Python lends the memory until it has been told of the bytes.
    var span = UnsafeMutableRawBufferPointer(start: base, count: count).mutableBytes
    fill(&span)
  }

  func bufferUpdated(_ count: Int) throws { try check(aiopy_buffer_updated(python, count)) }
}

/// A protocol for datagrams.
final class PythonDatagramProtocol: PythonProtocol, DatagramProtocol {
  func connectionMade(_ transport: BaseTransport) throws { try made(transport) }
  func connectionLost(_ error: (any Error)?) throws { try lost(error) }

  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {
    let status = bytes.withUnsafeBytes { bytes in
      address.withSockaddrBytes {
        aiopy_datagram(python, bytes.baseAddress, bytes.count, $0.baseAddress, $0.count)
      }
    }
    try check(status)
  }

  func errorReceived(_ error: IOError) throws { try check(withFailure(error) { aiopy_error_received(python, $0) }) }
}
