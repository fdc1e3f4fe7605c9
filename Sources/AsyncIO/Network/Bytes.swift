// Bytes between the form in which they are lent and the forms that programs keep.

extension Array where Element == UInt8 {
  /// Copy lent bytes, to keep them: `[UInt8](bytes)`, or `Array(bytes)`.
  public init(_ bytes: RawSpan) {
    self = bytes.withUnsafeBytes { [UInt8]($0) }
  }
}

extension String {
  /// Decode lent bytes as text: `String(decoding: bytes, as: UTF8.self)`. Bytes that are not UTF-8 become U+FFFD, as
  /// with every collection of bytes.
  public init(decoding bytes: RawSpan, as encoding: UTF8.Type) {
    self = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }
}

/// Lend the bytes of a sequence to a call that waits.
///
/// Arrays, their slices, and the UTF-8 of strings are lent in place. No other sequence can lend its bytes across a
/// suspension: a copy of these is lent, which takes one pass.
func withBytesForWait<Bytes: Sequence<UInt8>>(
  of bytes: Bytes, _ body: (RawSpan) async throws -> Void
) async throws {
  switch bytes {
  case let array as [UInt8]: try await body(array.span.bytes)
  case let slice as ArraySlice<UInt8>: try await body(slice.span.bytes)
  case let text as String.UTF8View: try await body(text.span.bytes)
  case let text as Substring.UTF8View: try await body(text.span.bytes)
  default:
    let copy = [UInt8](bytes)
    try await body(copy.span.bytes)
  }
}

/// Lend the bytes of a sequence to a call that does not wait: in place if they are contiguous, else a copy.
func withBytes<Bytes: Sequence<UInt8>, Failure>(
  of bytes: Bytes, _ body: (RawSpan) throws(Failure) -> Void
) throws(Failure) {
  let outcome = bytes.withContiguousStorageIfAvailable { memory in
    Result { () throws(Failure) in try body(memory.span.bytes) }
  }
  if let outcome { return try outcome.get() }
  let copy = [UInt8](bytes)
  try body(copy.span.bytes)
}
