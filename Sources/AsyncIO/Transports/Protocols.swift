// The types that a program writes to be called back by a transport. A protocol object belongs to the thread of its
// loop, like its transport: neither is `Sendable`.

/// The calls that every protocol object gets. Answers asyncio's `BaseProtocol`.
///
/// All calls come in the loop's thread, one at a time, in the scoped policy that the transport was made in. Every
/// method has a default that does nothing. An error that a method throws goes to the loop's exception handler; each
/// method says what happens to the connection then.
public protocol BaseProtocol: AnyObject {
  /// Receive the transport, once, before everything else. Keep it to write with. An error closes the connection.
  func connectionMade(_ transport: BaseTransport) throws

  /// Learn that the connection is over, once, after everything else. The error is `nil` if the connection was closed or
  /// aborted here or ended by the peer. The descriptor is closed when this has returned.
  func connectionLost(_ error: (any Error)?) throws

  /// Pause writing: more bytes wait to be sent than the upper limit. Called once, inside the `write` that crossed the
  /// limit. An error closes nothing.
  func pauseWriting() throws

  /// Go on writing: no more bytes wait than the lower limit. Called once after each ``pauseWriting()``. An error closes
  /// nothing.
  func resumeWriting() throws
}

extension BaseProtocol {
  /// Do nothing.
  public func connectionMade(_ transport: BaseTransport) throws {}
  /// Do nothing.
  public func connectionLost(_ error: (any Error)?) throws {}
  /// Do nothing.
  public func pauseWriting() throws {}
  /// Do nothing.
  public func resumeWriting() throws {}
}

/// A protocol object of this package that stands in for one of a program. Reports name the program's.
protocol StandIn: BaseProtocol {
  var principal: (any BaseProtocol)? { get }
}

/// What ``StreamProtocol`` and ``BufferedProtocol`` have in common: conform to one of those.
public protocol ReceivingProtocol: BaseProtocol {
  /// Receive the transport of a socket. Implement this or ``BaseProtocol/connectionMade(_:)``, which calls this.
  func connectionMade(_ transport: StreamTransport) throws

  /// Learn that the peer has sent its last byte; called once. Return `true` to keep the connection open for writing,
  /// `false`, the default, to close it. An error also closes it.
  func eofReceived() throws -> Bool
}

extension ReceivingProtocol {
  /// Call the general form.
  public func connectionMade(_ transport: StreamTransport) throws {
    try connectionMade(transport as BaseTransport)
  }

  /// Close the connection.
  public func eofReceived() throws -> Bool { false }
}

/// A protocol object that receives bytes as they come: it is told of its transport, of any number of chunks, perhaps of
/// an end of the stream, and of the loss. Answers asyncio's `Protocol`.
public protocol StreamProtocol: ReceivingProtocol {
  /// Receive bytes. They are lent until the call returns: nothing was copied, and the compiler refuses to let them
  /// escape. An error ends the connection, and ``BaseProtocol/connectionLost(_:)`` gets it.
  func dataReceived(_ bytes: RawSpan) throws
}

/// A protocol object that provides the memory for its bytes. Answers asyncio's `BufferedProtocol`.
public protocol BufferedProtocol: ReceivingProtocol {
  /// Lend memory for the next bytes: call `fill` once with it. Memory without room ends the connection, and so does a
  /// return without a call of `fill`. Answers `get_buffer`.
  ///
  /// ```swift
  /// func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) {
  ///   lend(&storage, from: used, to: fill)
  /// }
  /// ```
  /// - Parameters:
  ///   - sizeHint: how many bytes are there; the memory may be larger or smaller.
  ///   - fill: puts bytes at the beginning of the memory.
  func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) throws

  /// Learn that this many bytes were put into the memory lent last. An error ends the connection. Answers
  /// `buffer_updated`.
  func bufferUpdated(_ count: Int) throws
}

extension BufferedProtocol {
  /// Lend the memory of an array from an index on. The bytes before the index stay as they are. If the array does not
  /// have the index, no memory is lent, which ends the connection with code `invalidArgument`.
  public func lend(_ storage: inout [UInt8], from index: Int = 0, to fill: (inout MutableRawSpan) -> Void) {
    storage.withUnsafeMutableBytes { bytes in
      // Nothing is there, so nothing is lent, and the loop reports it.
      let start = (0...bytes.count).contains(index) ? index : bytes.count
      // Right because the span ends before other code can use the array's memory again.
      var span = UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).mutableBytes
      fill(&span)
    }
  }
}
