internal import CAsyncIO

/// The reading end of a pipe, FIFO, socket or terminal: what a child process writes, or this program's standard input.
/// Answers `connect_read_pipe` and the `StreamReader` above it.
///
/// One task at a time may read; a second one is refused with code `busy`. Cancelling the task ends the read and loses
/// no byte. The end of the stream is a value, even when a terminal hangs up.
///
/// **Threads.** Methods may be called from any task in any thread, like those of ``StreamConnection``. The reader's
/// claim guards the fields, which is what makes the unchecked conformance right.
public final class PipeReader: @unchecked Sendable {
  let end: PipeEnd
  private let reading: IOOperation
  @exclusivity(unchecked) private var awaitsWriter: Bool
  /// Bytes that have been received and not yet delivered; guarded by the reader's claim.
  @exclusivity(unchecked) var leftover = ReadBuffer()

  /// Take a descriptor into the care of the running loop, which closes it in the end. If this throws, the descriptor
  /// stays the caller's.
  ///
  /// The descriptor becomes non-blocking and close-on-exec. Standard input is often the same open file as in the shell
  /// and other programs, which then also see it non-blocking; ``close()`` and the exit of the program restore the mode.
  ///
  /// - Parameter descriptor: a FIFO, a socket, or a character device such as a terminal.
  /// - Throws: code `invalidArgument` for a regular file, another kind of file, and a descriptor that is open for
  ///   writing only; `invalidState` if a connection, a pipe or a watch of this loop uses it; ``IOError``
  ///   `.badFileDescriptor` if it is not open; code `noRunningLoop` outside of a loop's thread.
  public convenience init(owning descriptor: Int32) throws {
    try self.init(descriptor, on: try runningCore("PipeReader"), for: "PipeReader")
  }

  init(_ fd: Int32, on core: BaseEventLoop, for operation: String) throws {
    end = try PipeEnd(fd, for: operation, mode: 1, on: core)
    reading = IOOperation(.read, on: end.descriptor)
    awaitsWriter = end.kind == .fifo
  }

  deinit { end.drop("pipe reader") }

  /// The event loop of the reader.
  public var loop: any EventLoop { end.core }

  /// True once `close()` was called.
  public var isClosed: Bool { end.isClosed }

  /// Close the descriptor; a pending read ends with an error. Idempotent, any thread.
  public func close() { end.descriptor.close() }
}

extension PipeReader: ByteSource {
  func claimReading() throws { try end.claim("read") }

  func releaseReading() { end.release() }

  func receive(_ memory: UnsafeMutableRawPointer, _ count: Int) async throws -> Int {
    if awaitsWriter {
      try await submit(.ready, nil, 0)
      awaitsWriter = false
    }
    return try await submit(.read, memory, count)
  }

  @discardableResult
  private func submit(_ kind: IOOperation.Kind, _ memory: UnsafeMutableRawPointer?, _ count: Int) async throws -> Int {
    let operation = reading
    operation.kind = kind
    operation.buffer = memory
    operation.count = count
    await end.core.complete(operation)
    operation.buffer = nil
    if operation.result == -Int(EIO) && end.kind == .device { return 0 }
    guard operation.result >= 0 else { throw end.failure(operation.result, "read") }
    return operation.result
  }

  /// Read as many bytes as there are, at most what the span has room for, and return how many. Waits for the first
  /// byte; 0 is the end of the stream (or a span without room).
  public func read(into span: inout MutableRawSpan) async throws -> Int {
    try end.claim("read")
    defer { end.release() }
    // Right because the caller lends the memory exclusively until this call returns.
    let memory = span.withUnsafeMutableBytes { $0 }
    if memory.isEmpty || !leftover.isEmpty { try await checkpoint() }
    guard memory.count > 0 else { return 0 }
    if !leftover.isEmpty { return leftover.copy(into: memory) }
    return try await receive(memory.baseAddress!, memory.count)
  }

  /// Read as many bytes as there are, at most `maximum`; waits for the first byte, and returns none at the end of the
  /// stream. Throws code `invalidArgument` for a negative number.
  public func read(upTo maximum: Int) async throws -> [UInt8] {
    try ReadArguments.check(count: maximum, "read")
    try end.claim("read")
    defer { end.release() }
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
  /// ends with any of them. If several end at one place, the shortest counts for the limit. Throws as
  /// ``readUntil(_:limit:)``; code `invalidArgument` also for an empty list. Answers `readuntil()` with a tuple.
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

  /// Call the body with each chunk of bytes as it arrives, to the end of the stream. The next chunk is not read before
  /// the body returns, so a slow body makes the writer wait.
  public func forEachChunk(_ body: (RawSpan) async throws -> Void) async throws {
    try end.claim("read")
    defer { end.release() }
    if !leftover.isEmpty {
      try checkCancellation()
      let bytes = leftover.take(leftover.count)
      try await body(bytes.span.bytes)
    }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: LentBufferPool.ownCapacity, alignment: 16)
    defer { memory.deallocate() }
    while true {
      let n = try await receive(memory.baseAddress!, memory.count)
      if n == 0 { return }
      try await body(UnsafeRawBufferPointer(rebasing: memory[..<n]).bytes)
    }
  }
}

extension PipeReader: CustomStringConvertible {
  /// How logs show it: "PipeReader (descriptor 5)", or that it is closed. Any thread.
  public var description: String { "PipeReader (\(end))" }
}
