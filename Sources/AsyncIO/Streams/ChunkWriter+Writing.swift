extension ChunkWriter {
  /// Write the bytes of a span. See ``write(_:)-(RawSpan)``.
  public func write(_ bytes: Span<UInt8>) { write(bytes.bytes) }

  /// Write the bytes of a sequence: an array, a slice of one, the `utf8` of a string, a `Data`. A sequence that is not
  /// contiguous is copied into an array first. See ``write(_:)-(RawSpan)``.
  public func write(_ bytes: some Sequence<UInt8>) { withBytes(of: bytes) { write($0) } }

  /// Write the UTF-8 of a string. See ``write(_:)-(RawSpan)``.
  public func write(_ text: String) { write(text.utf8Span.span.bytes) }

  /// Write the UTF-8 of a part of a string. See ``write(_:)-(RawSpan)``.
  public func write(_ text: Substring) { write(text.utf8Span.span.bytes) }
}
