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
public protocol WriteTransport: FlowControlledTransport {
  /// Send the bytes: what the system takes at once, the rest in order as it takes more. Never waits.
  ///
  /// A closing transport takes the bytes as long as earlier ones wait; after that it drops them, with a warning from
  /// the fifth time on. An empty write has no effect. Throws code `invalidState` after ``writeEOF()``. Answers `write`.
  func write(_ bytes: RawSpan) throws(EventLoopError)
  /// End the stream after what was written. Idempotent; has no effect on a closing transport. Answers `write_eof`.
  func writeEOF() throws(EventLoopError)
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

  /// Send several pieces as one. Answers `writelines`.
  public func writeLines(_ pieces: some Sequence<[UInt8]>) throws(EventLoopError) {
    var bytes: [UInt8] = []
    for piece in pieces { bytes += piece }
    try write(bytes.span.bytes)
  }

  /// True: ``writeEOF()`` ends what is written, and only that. Answers `can_write_eof`.
  public var canWriteEOF: Bool { true }
}
