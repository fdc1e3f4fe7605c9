/// A transport that reads bytes. Answers asyncio's `ReadTransport`. For the loop's thread.
public protocol ReadTransport: BaseTransport {
  /// True while bytes are delivered as they come: not paused, not closed, and not at the end of the stream. Answers
  /// `is_reading`.
  var isReading: Bool { get }
  /// Pause delivery until ``resumeReading()``. No byte is lost: the peer has to wait. Idempotent; has no effect on a
  /// closing transport. Answers `pause_reading`.
  func pauseReading()
  /// Resume delivery, from the next turn on. Idempotent; has no effect on a closing transport. Answers
  /// `resume_reading`.
  func resumeReading()
}

/// A transport that writes bytes. Answers asyncio's `WriteTransport`. For the loop's thread; in other threads, calls
/// that can throw throw code `wrongThread`.
public protocol WriteTransport: BaseTransport {
  /// Send the bytes: what the system takes at once, the rest in order as it takes more. Never waits.
  ///
  /// A closing transport takes the bytes as long as earlier ones wait; after that it drops them, with a warning from
  /// the fifth time on. An empty write has no effect. Throws code `invalidState` after ``writeEOF()``. Answers `write`.
  func write(_ bytes: RawSpan) throws(EventLoopError)
  /// Send several pieces as one. Answers `writelines`.
  func writeLines(_ pieces: some Sequence<[UInt8]>) throws(EventLoopError)
  /// End the stream after what was written. Idempotent; has no effect on a closing transport. Answers `write_eof`.
  func writeEOF() throws(EventLoopError)
  /// True if ``writeEOF()`` ends one direction only. Answers `can_write_eof`.
  var canWriteEOF: Bool { get }
  /// The number of bytes that wait to be sent. Answers `get_write_buffer_size`.
  var writeBufferSize: Int { get }
  /// When the protocol is asked to pause and to go on. Answers `get_write_buffer_limits`.
  var writeBufferLimits: WriteBufferLimits { get }
  /// Set the limits, see ``WriteBufferLimits/init(high:low:)``, and check at once whether the protocol must pause or
  /// may go on. Throws code `invalidArgument` unless `high >= low >= 0`. Answers `set_write_buffer_limits`.
  func setWriteBufferLimits(high: Int?, low: Int?) throws(EventLoopError)
}

extension WriteTransport {
  /// Send the bytes of an array. See ``write(_:)``.
  public func write(_ bytes: [UInt8]) throws(EventLoopError) { try write(bytes.span.bytes) }
  /// Send the UTF-8 of a string. See ``write(_:)``.
  public func write(_ text: String) throws(EventLoopError) { try write(text.utf8Span.span.bytes) }
  /// Send the bytes of a span. See ``write(_:)``.
  public func write(_ bytes: Span<UInt8>) throws(EventLoopError) { try write(bytes.bytes) }
  /// Send the UTF-8 of a part of a string. See ``write(_:)``.
  public func write(_ text: Substring) throws(EventLoopError) { try write(text.utf8Span.span.bytes) }
  /// Send the bytes of a sequence: a slice of an array, the `utf8` of a string, a `Data`. A sequence that is not
  /// contiguous is copied into an array first. See ``write(_:)``.
  public func write(_ bytes: some Sequence<UInt8>) throws(EventLoopError) {
    try withBytes(of: bytes) { bytes throws(EventLoopError) in try write(bytes) }
  }
}
