internal import CAsyncIO

/// The writing end of a pipe, FIFO, socket or terminal: what a child process reads, or this program's standard output.
/// Answers `connect_write_pipe` and the `StreamWriter` above it.
///
/// One task at a time may write; a second one is refused with code `busy`. The reader sees the end of the stream after
/// ``close()``; a pipe has no half-close.
///
/// **Threads.** Methods may be called from any task in any thread, like those of ``StreamConnection``. Claims guard the
/// fields, which is what makes the unchecked conformance right.
public final class PipeWriter: @unchecked Sendable {
  let end: PipeEnd
  private let writing: IOOperation
  private let hearing: IOOperation
  private let hearer = Claim()

  /// Take a descriptor into the care of the running loop, which closes it in the end. If this throws, the descriptor
  /// stays the caller's. It becomes non-blocking and close-on-exec, see ``PipeReader/init(owning:)``.
  ///
  /// - Parameter descriptor: a FIFO, a socket, or a character device such as a terminal.
  /// - Throws: code `invalidArgument` for a regular file, another kind of file, and a descriptor that is open for
  ///   reading only; `invalidState` if a connection, a pipe or a watch of this loop uses it; ``IOError``
  ///   `.badFileDescriptor` if it is not open; code `noRunningLoop` outside of a loop's thread.
  public convenience init(owning descriptor: Int32) throws {
    try self.init(descriptor, on: try runningCore("PipeWriter"), for: "PipeWriter")
  }

  init(_ fd: Int32, on core: BaseEventLoop, for operation: String) throws {
    end = try PipeEnd(fd, for: operation, mode: 2, on: core)
    writing = IOOperation(.write, on: end.descriptor)
    hearing = IOOperation(.ready, on: end.descriptor)
  }

  deinit { end.drop("pipe writer") }

  /// The event loop of the writer.
  public var loop: any EventLoop { end.core }

  /// True once `close()` was called.
  public var isClosed: Bool { end.isClosed }

  /// Close the descriptor. The reader sees the end of the stream after everything that `write` returned for. A pending
  /// write ends with an error. Idempotent, any thread.
  public func close() { end.descriptor.close() }

  /// Write all the bytes; returns when the system has taken the last one, so a slow reader makes the writer wait.
  /// Answers `write` and `drain` in one.
  ///
  /// Throws ``IOError`` (`.brokenPipe` if the reader is gone) or `CancellationError`; some of the bytes may then have
  /// been written.
  public func write(_ bytes: RawSpan) async throws {
    try end.claim("write")
    defer { end.release() }
    // Right because the caller lends the bytes until this call returns, and it returns with the operation's end.
    let memory = bytes.withUnsafeBytes { $0 }
    guard memory.count > 0 else { return try await checkpoint() }
    let operation = writing
    operation.buffer = UnsafeMutableRawPointer(mutating: memory.baseAddress)
    operation.count = memory.count
    operation.transferred = 0
    await end.core.complete(operation)
    operation.buffer = nil
    guard operation.result >= 0 else { throw end.failure(operation.result, "write") }
  }

  /// Wait until the reader has closed its end, without writing. On a socket, incoming bytes also end the wait: the
  /// reader of a pipe has nothing to say. One task at a time; another may write meanwhile.
  ///
  /// Throws code `notOffered` for terminals and other devices, which deliver typed input; `busy`; an ``IOError`` when
  /// the pipe is closed here; `CancellationError`.
  public func waitForReaderClose() async throws {
    guard end.kind != .device else {
      throw EventLoopError(
        .notOffered, "waitForReaderClose: the system does not report when a device's reader is gone. Write to it.")
    }
    try hearer.take(or: "waitForReaderClose: another task is already waiting. Let one task do it.")
    defer { hearer.release() }
    await end.core.complete(hearing)
    guard hearing.result >= 0 else { throw end.failure(hearing.result, "waitForReaderClose") }
  }
}

extension PipeWriter: CustomStringConvertible {
  /// How logs show it: "PipeWriter (descriptor 5)", or that it is closed. Any thread.
  public var description: String { "PipeWriter (\(end))" }
}
