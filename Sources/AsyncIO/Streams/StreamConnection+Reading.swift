internal import CAsyncIO

extension StreamConnection: ByteSource {
  func claimReading() throws {
    try claimReader()
    guard isClosed else { return }
    releaseReader()
    throw closedHere("read")
  }

  func releaseReading() { releaseReader() }

  /// Receive into memory that stays valid until the call ends; returns 0 at the end of the stream. The caller holds the
  /// reader's claim. Memory is never used after the return: a cancelled await ends with its operation's completion.
  func receive(_ memory: UnsafeMutableRawPointer, _ count: Int) async throws -> Int {
    let operation = receiving
    operation.kind = .receive
    operation.buffer = memory
    operation.count = count
    await core.complete(operation)
    operation.buffer = nil
    guard operation.result >= 0 else { throw failure(operation.result, "read") }
    if operation.result == 0 { try checkEnd() }
    return operation.result
  }

  /// Read as many bytes as there are, at most what the span has room for, and return how many. Waits for the first
  /// byte; 0 is the end of the stream (or a span without room).
  public func read(into span: inout MutableRawSpan) async throws -> Int {
    try claimReader()
    defer { releaseReader() }
    try checkOpen("read")
    // Right because the caller lends the memory exclusively until this call returns.
    let memory = span.withUnsafeMutableBytes { $0 }
    if memory.isEmpty || !leftover.isEmpty { try await checkpoint() }
    guard memory.count > 0 else { return 0 }
    if !leftover.isEmpty { return leftover.copy(into: memory) }
    return try await receive(memory.baseAddress!, memory.count)
  }

  /// Append as many bytes as there are, at most what the span has room for, and return how many. Waits for the first
  /// byte.
  public func read(into span: inout OutputRawSpan) async throws -> Int {
    try claimReader()
    defer { releaseReader() }
    try checkOpen("read")
    var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    // Right because the caller lends the memory exclusively until this call returns.
    span.withUnsafeMutableBytes { bytes, initialized in
      memory = UnsafeMutableRawBufferPointer(rebasing: bytes[initialized...])
    }
    if memory.isEmpty || !leftover.isEmpty { try await checkpoint() }
    guard memory.count > 0 else { return 0 }
    let n = leftover.isEmpty ? try await receive(memory.baseAddress!, memory.count) : leftover.copy(into: memory)
    span.withUnsafeMutableBytes { _, initialized in initialized += n }
    return n
  }

  /// Read as many bytes as there are, at most `maximum`; waits for the first byte, and returns none at the end of the
  /// stream. Throws code `invalidArgument` for a negative number.
  public func read(upTo maximum: Int) async throws -> [UInt8] {
    try ReadArguments.check(count: maximum, "read")
    try claimReader()
    defer { releaseReader() }
    try checkOpen("read")
    if maximum == 0 || !leftover.isEmpty { try await checkpoint() }
    if maximum == 0 { return [] }
    if !leftover.isEmpty { return leftover.take(min(maximum, leftover.count)) }
    return try await receiveArray(min(maximum, LentBufferPool.ownCapacity))
  }

  /// Read exactly `count` bytes. Throws ``IncompleteReadError`` with what has come if the stream ends first, code
  /// `invalidArgument` for a negative number.
  public func readExactly(_ count: Int) async throws -> [UInt8] {
    try await readAll(count)
  }

  /// Read until the separator, which is part of the result. Throws ``IncompleteReadError`` if the stream ends first;
  /// ``LimitOverrunError`` if the separator does not come within `limit` bytes, which are then left in place; code
  /// `invalidArgument` for an empty separator and a negative limit. `.max` means no limit.
  public func readUntil(_ separator: [UInt8], limit: Int = 64 * 1024) async throws -> [UInt8] {
    try await readUpTo(separator, limit: limit)
  }

  /// Read until the first of several separators, which is part of the result: the shortest beginning of the stream that
  /// ends with any of them. Answers `readuntil()` with a tuple.
  ///
  /// ```swift
  /// let line = try await connection.readUntil(anyOf: [[UInt8]("\r\n".utf8), [UInt8]("\n".utf8)])
  /// ```
  /// If several end at one place, the shortest counts for the limit. Throws as ``readUntil(_:limit:)``; code
  /// `invalidArgument` also for an empty list.
  public func readUntil(anyOf separators: [[UInt8]], limit: Int = 64 * 1024) async throws -> [UInt8] {
    try await readUpTo(anyOf: separators, limit: limit)
  }

  /// Read a line without its end ("\n" or "\r\n"); nil at the end of the stream. A last line without an end counts, and
  /// a "\r" that no "\n" follows is an ordinary byte of it. Throws as ``readUntil(_:limit:)``, except for the end.
  public func readLine(limit: Int = 64 * 1024) async throws -> String? {
    try await readOneLine(limit: limit)
  }

  /// Read to the end of the stream. Throws ``LimitOverrunError`` if there are more than `limit` bytes, at once if that
  /// many are already there; they are then left in place. Throws code `invalidArgument` for a negative limit.
  public func readToEnd(limit: Int = .max) async throws -> [UInt8] {
    try await readRest(limit: limit)
  }

  /// Put back bytes that were read last: the next read gets them first, and ``startTLS(_:serverHostname:limits:)``
  /// takes them for the peer's. For a program that looks at the beginning of a stream to decide what it is.
  package func putBack(_ bytes: [UInt8]) throws {
    try claimReader()
    defer { releaseReader() }
    let rest = leftover.take(leftover.count)
    leftover.append(bytes.span.bytes)
    leftover.append(rest.span.bytes)
  }
}
