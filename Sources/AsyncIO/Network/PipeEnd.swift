internal import CAsyncIO
internal import Logging
internal import SystemPackage

// What a pipe is here, and the traps:
//
// - Files that are always ready cannot be waited for: regular files and directories are refused, and so are the
//   kernel's objects without a type (eventfd and its kin), which have messages, not a stream.
// - A short read does not show that a pipe is drained: one in packet mode gives a packet at a time (the writer decides
//   that), a terminal a line, a socket of messages a message, and devices such as /dev/null cannot be waited for at
//   all. So reads go on until the call itself would block.
// - A FIFO that has never had a writer reads as ended. The first read waits for a writer before it looks.
// - A terminal whose other side is gone answers EIO: that is the end of its stream.
// - The mode "non-blocking" belongs to the open file and is shared with other processes, see `BlockingMode`. Sockets
//   need no mode: each call says that it does not wait.

/// One end of a pipe in the care of a loop: the descriptor, its kind of file, and its users. The claim of the task that
/// reads or writes guards the fields, which is what makes the unchecked conformance right.
final class PipeEnd: @unchecked Sendable {
  /// The kinds of files that count as pipes.
  enum Kind: Sendable { case fifo, socket, device }

  let core: BaseEventLoop
  let descriptor: IODescriptor
  let kind: Kind
  private let claim = Claim()

  /// Take the descriptor; if this throws, it stays the caller's.
  init(_ fd: Int32, for operation: String, mode: Int32, on core: BaseEventLoop) throws {
    if core.isClosed { throw EventLoopError.closed(operation) }
    kind = try Self.kind(of: fd, for: operation)
    if kind != .socket { try core.requirePipes(operation) }
    guard casyncio_access_mode(fd) & mode == mode else {
      let (use, end) = mode == 1 ? ("reading", "read end") : ("writing", "write end")
      throw EventLoopError(
        .invalidArgument, "\(operation): descriptor \(fd) is not open for \(use). Give the \(end) of the pipe.")
    }
    if core.isRunningInThisThread, let owner = core.backend.attached(fd), !owner.isClosed,
      !owner.isWatch || core.backend.namesWatchedFile(owner)
    {
      throw EventLoopError(
        .invalidState, "\(operation): descriptor \(fd) is already in use on this event loop. Remove the other user.")
    }
    self.core = core
    descriptor = IODescriptor(fd, loop: core)
    descriptor.isPipeSocket = kind == .socket
    let status = kind == .socket ? 0 : BlockingMode.enter(descriptor)
    guard status == 0 else {
      throw IOError(result: Int(status), operation, "descriptor \(fd)")
    }
    _ = casyncio_set_close_on_exec(fd)
    if kind == .device { descriptor.isReadable = true }
    if core.isRunningInThisThread { core.backend.attach(descriptor) }
  }

  private static func kind(of fd: Int32, for operation: String) throws -> Kind {
    var file = casyncio_file()
    let status = casyncio_file_of(fd, &file)
    guard status == 0 else { throw IOError(result: Int(status), operation, "descriptor \(fd)") }
    switch Int(file.kind) {
    case CASYNCIO_FILE_FIFO: return .fifo
    case CASYNCIO_FILE_SOCKET: return .socket
    case CASYNCIO_FILE_CHARACTER_DEVICE: return .device
    default:
      throw EventLoopError(
        .invalidArgument,
        "\(operation): descriptor \(fd) is not a pipe, socket or character device, and cannot be waited for. "
          + "Read and write regular files with runInExecutor.")
    }
  }

  var isClosed: Bool { descriptor.isClosed }

  /// Read once without waiting. Returns the number of bytes, or a negated errno.
  func tryRead(_ memory: UnsafeMutableRawBufferPointer) -> Int {
    let fd = descriptor.fileDescriptor
    return kind == .socket
      ? receiveBytes(fd, memory.baseAddress, memory.count) : casyncio_read(fd, memory.baseAddress, memory.count)
  }

  /// Write once without waiting. Returns the number of bytes, or a negated errno.
  func tryWrite(_ bytes: UnsafeRawBufferPointer) -> Int {
    let fd = descriptor.fileDescriptor
    return kind == .socket
      ? sendBytes(fd, bytes.baseAddress, bytes.count) : casyncio_write(fd, bytes.baseAddress, bytes.count)
  }

  /// Claim the pipe: one task at a time.
  func claim(_ operation: String) throws {
    try claim.take(or: "\(operation): another task uses this pipe. Let one task do it.")
    guard isClosed else { return }
    release()
    throw IOError.closedHere(operation, "pipe")
  }

  func release() { claim.release() }

  /// Return what a failed operation throws, see `IODescriptor.failure`.
  func failure(_ result: Int, _ operation: String) -> any Error {
    descriptor.failure(result, operation, of: "pipe")
  }

  /// Close the pipe after its last user has gone without closing it.
  func drop(_ what: String) {
    guard !isClosed else { return }
    if core.isDebug { core.logger.warning("a \(what) was dropped without close(); it is closed now") }
    descriptor.close()
  }
}

extension PipeEnd: CustomStringConvertible {
  /// The descriptor, or that it is closed. Any thread.
  var description: String { isClosed ? "closed" : "descriptor \(descriptor.fileDescriptor)" }
}

extension BaseEventLoop {
  /// Refuse pipes and child processes on a loop that cannot wait for them. Answers asyncio's `NotImplementedError` of
  /// the selector loop on Windows.
  final func requirePipes(_ operation: String) throws(EventLoopError) {
    guard !capabilities.contains(.pipes) else { return }
    throw EventLoopError(
      .notOffered,
      "\(operation): the event loop over \(backendName) waits for sockets only, not for pipes and child processes. "
        + "Use a loop of the system that has them: ProactorEventLoop.")
  }
}
