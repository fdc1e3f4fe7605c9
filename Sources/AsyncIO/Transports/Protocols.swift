// What a program writes to be called back by a transport. A protocol object belongs to the thread of its loop, like
// its transport: neither is `Sendable`.

/// What every protocol object is told. Answers asyncio's `BaseProtocol`.
///
/// All calls come in the loop's thread, one at a time, in the scoped policy that the transport was made in. Everything
/// has a default that does nothing. An error that a call throws goes to the loop's exception handler; what becomes of
/// the connection is said with each of them.
public protocol BaseProtocol: AnyObject {
  /// The transport is there, once, before everything else. Keep it to write with. An error closes the connection.
  func connectionMade(_ transport: BaseTransport) throws

  /// The connection is over, once, after everything else: `nil` if it was closed or aborted here or the peer ended it,
  /// else why. The descriptor is closed when this has returned.
  func connectionLost(_ error: (any Error)?) throws

  /// More bytes wait to be sent than the upper limit; called inside the `write` that crossed it, once. An error closes
  /// nothing.
  func pauseWriting() throws

  /// No more bytes wait than the lower limit, once after each ``pauseWriting()``. An error closes nothing.
  func resumeWriting() throws
}

extension BaseProtocol {
  /// Does nothing.
  public func connectionMade(_ transport: BaseTransport) throws {}
  /// Does nothing.
  public func connectionLost(_ error: (any Error)?) throws {}
  /// Does nothing.
  public func pauseWriting() throws {}
  /// Does nothing.
  public func resumeWriting() throws {}
}

/// A protocol object of this package that stands before one of a program. Reports name the latter.
protocol StandIn: BaseProtocol {
  var principal: (any BaseProtocol)? { get }
}

/// What ``StreamProtocol`` and ``BufferedProtocol`` have in common: conform to one of those.
public protocol ReceivingProtocol: BaseProtocol {
  /// The transport of a socket is there. Implement this or ``BaseProtocol/connectionMade(_:)``, which it calls.
  func connectionMade(_ transport: StreamTransport) throws

  /// The peer has sent its last byte, once. `true` keeps the connection open for writing; `false`, the default, closes
  /// it. An error closes it, too.
  func eofReceived() throws -> Bool
}

extension ReceivingProtocol {
  /// Calls the general form.
  public func connectionMade(_ transport: StreamTransport) throws {
    try connectionMade(transport as BaseTransport)
  }

  /// Closes the connection.
  public func eofReceived() throws -> Bool { false }
}

/// A protocol object that is handed bytes as they come: made, any number of chunks, perhaps an end, lost. Answers
/// asyncio's `Protocol`.
public protocol StreamProtocol: ReceivingProtocol {
  /// Bytes came. They are lent until the call returns: nothing was copied, and the compiler refuses to let them escape.
  /// An error is the end of the connection, and ``BaseProtocol/connectionLost(_:)`` gets it.
  func dataReceived(_ bytes: RawSpan) throws
}

/// A protocol object that has the memory for its bytes itself. Answers asyncio's `BufferedProtocol`.
public protocol BufferedProtocol: ReceivingProtocol {
  /// Lends memory for the next bytes: calls `fill` once with it. Memory without room is the end of the connection, and
  /// so is not calling `fill`. Answers `get_buffer`.
  ///
  /// ```swift
  /// func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) {
  ///   lend(&storage, from: used, to: fill)
  /// }
  /// ```
  /// - Parameters:
  ///   - sizeHint: how many bytes are there; more or less room is as good.
  ///   - fill: puts bytes at the beginning of the memory.
  func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) throws

  /// So many bytes were put into the memory that was lent last. An error is the end of the connection. Answers
  /// `buffer_updated`.
  func bufferUpdated(_ count: Int) throws
}

extension BufferedProtocol {
  /// Lends the memory of an array from an index on. Bytes in front of it are left alone. With an index that the array
  /// does not have no memory is lent, which ends the connection with code `invalidArgument`.
  public func lend(_ storage: inout [UInt8], from index: Int = 0, to fill: (inout MutableRawSpan) -> Void) {
    storage.withUnsafeMutableBytes { bytes in
      // Nothing is there, so nothing is lent, and the loop says so.
      let start = (0...bytes.count).contains(index) ? index : bytes.count
      // Right because the span ends before the array's memory may be anybody else's again.
      var span = UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).mutableBytes
      fill(&span)
    }
  }
}
