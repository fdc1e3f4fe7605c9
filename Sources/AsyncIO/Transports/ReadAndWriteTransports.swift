/// A transport that brings bytes. Answers asyncio's `ReadTransport`. For the loop's thread.
public protocol ReadTransport: BaseTransport {
  /// True while bytes are delivered as they come: not paused, not closed, and not behind the end of the stream. Answers
  /// `is_reading`.
  var isReading: Bool { get }
  /// Delivers nothing until ``resumeReading()``. Nothing is lost: the peer has to wait. Idempotent; without effect on a
  /// closing transport. Answers `pause_reading`.
  func pauseReading()
  /// Delivers again, from the next turn on. Idempotent; without effect on a closing transport. Answers
  /// `resume_reading`.
  func resumeReading()
}

/// A transport that takes bytes. Answers asyncio's `WriteTransport`. For the loop's thread; calls that can throw do so
/// elsewhere with code `wrongThread`.
public protocol WriteTransport: BaseTransport {
  /// Sends the bytes: at once what the system takes, the rest in order as it takes more. Never waits.
  ///
  /// A closing transport takes them as long as earlier ones wait; later it drops them, with a warning from the fifth time
  /// on. Without effect for no bytes. Throws code `invalidState` after ``writeEOF()``. Answers `write`.
  func write(_ bytes: RawSpan) throws(EventLoopError)
  /// Sends several pieces as one. Answers `writelines`.
  func writeLines(_ pieces: some Sequence<[UInt8]>) throws(EventLoopError)
  /// The peer sees the end of the stream behind what was written. Idempotent; without effect on a closing transport.
  /// Answers `write_eof`.
  func writeEOF() throws(EventLoopError)
  /// Whether ``writeEOF()`` ends one direction only. Answers `can_write_eof`.
  var canWriteEOF: Bool { get }
  /// How many bytes wait to be sent. Answers `get_write_buffer_size`.
  var writeBufferSize: Int { get }
  /// When the protocol is asked to pause and to go on. Answers `get_write_buffer_limits`.
  var writeBufferLimits: WriteBufferLimits { get }
  /// Sets the limits, see ``WriteBufferLimits/init(high:low:)``, and looks at once whether the protocol has to pause or
  /// may go on. Throws code `invalidArgument` unless `high >= low >= 0`. Answers `set_write_buffer_limits`.
  func setWriteBufferLimits(high: Int?, low: Int?) throws(EventLoopError)
}

extension WriteTransport {
  /// Sends the bytes of an array. See ``write(_:)``.
  public func write(_ bytes: [UInt8]) throws(EventLoopError) { try write(bytes.span.bytes) }
  /// Sends the UTF-8 of a string. See ``write(_:)``.
  public func write(_ text: String) throws(EventLoopError) { try write(text.utf8Span.span.bytes) }
  /// Sends the bytes of a span. See ``write(_:)``.
  public func write(_ bytes: Span<UInt8>) throws(EventLoopError) { try write(bytes.bytes) }
  /// Sends the UTF-8 of a part of a string. See ``write(_:)``.
  public func write(_ text: Substring) throws(EventLoopError) { try write(text.utf8Span.span.bytes) }
  /// Sends the bytes of a sequence: a slice of an array, the `utf8` of a string, a `Data`. One that does not lie in one
  /// piece is copied into an array first. See ``write(_:)``.
  public func write(_ bytes: some Sequence<UInt8>) throws(EventLoopError) {
    try withBytes(of: bytes) { bytes throws(EventLoopError) in try write(bytes) }
  }
}
