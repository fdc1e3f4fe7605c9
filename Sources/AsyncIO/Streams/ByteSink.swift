/// A destination for bytes that may make the writer wait: a ``StreamConnection``, a ``PipeWriter``, or a type of your
/// own, which gets every form of `write` from this one requirement.
public protocol ByteSink {
  /// Write all the bytes; returns when they are taken. The caller lends the bytes until then.
  func write(_ bytes: RawSpan) async throws
}

// Inlined, so that an array or a text costs what its bytes cost.
extension ByteSink {
  /// Write all the bytes of an array. See ``write(_:)-(RawSpan)``.
  @inlinable
  public func write(_ bytes: [UInt8]) async throws {
    try await write(bytes.span.bytes)
  }

  /// Write all the bytes of a span, without a copy. See ``write(_:)-(RawSpan)``.
  @inlinable
  public func write(_ bytes: Span<UInt8>) async throws {
    try await write(bytes.bytes)
  }

  /// Write all the bytes of a sequence: a slice of an array, the `utf8` of a string or substring, a `Data`. See
  /// ``write(_:)-(RawSpan)``.
  ///
  /// Arrays, their slices and UTF-8 views are written in place. Any other sequence is first copied into an array as a
  /// whole; if that is too much, pass its `bytes` or its `span`.
  public func write(_ bytes: some Sequence<UInt8>) async throws {
    try await withBytesForWait(of: bytes) { try await write($0) }
  }

  /// Write the UTF-8 of a string. See ``write(_:)-(RawSpan)``.
  @inlinable
  public func write(_ text: String) async throws {
    try await write(text.utf8Span.span.bytes)
  }

  /// Write the UTF-8 of a part of a string, without a copy. See ``write(_:)-(RawSpan)``.
  @inlinable
  public func write(_ text: Substring) async throws {
    try await write(text.utf8Span.span.bytes)
  }
}

extension StreamConnection: ByteSink {}
extension PipeWriter: ByteSink {}
