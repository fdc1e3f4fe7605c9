internal import CAsyncIO
internal import SystemPackage

// From a file to a socket without passing through this program, or through it where the system cannot do that. The
// traps:
//
// - sendfile(2) waits for the disk if the bytes are not in memory, and no flag tells it not to. So a turn sends a
//   bounded piece; a file that is read for the first time holds up its loop for as long as the disk takes for one
//   piece. The fallback reads in a thread of the loop's default executor and never waits for the disk in the loop's
//   thread.
// - It moves as much as the socket has room for, and a fast peer always makes room: without a turn between two pieces
//   one transfer would keep the loop to itself.
// - It returns EINVAL or ENOSYS for files and sockets that it cannot serve. If nothing has been sent by then the
//   fallback takes over.
// - The file may shrink or grow meanwhile, and some files (those of /proc) say that they are empty and are not. The end
//   is where the file ends exactly when the last byte has gone, or where a call finds no more bytes.
// - A program that sends and then reads the answer must not wait for the peer once the system has the last byte. So
//   there is no wait after that byte, and none for room that may not be needed.
// - Bytes that were written before may wait in the program (the proactor's outbox), and so may the last few of the
//   fallback. So every transfer begins with a wait for the former, and the fallback ends with one for the latter.

/// The destination of a file: a socket whose writing side the caller holds.
protocol FileSink {
  var descriptor: IODescriptor { get }
  /// For waits until there is room, and until what was sent before is with the system. Between two pieces it is idle
  /// and the sink's own.
  var sending: IOOperation { get }
  /// Send all the bytes; `sent` is valid even if this throws.
  func send(_ bytes: UnsafeRawBufferPointer, _ sent: inout Int) async throws
}

/// The sending record of a stream, which sends nothing else meanwhile.
struct OperationSink: FileSink {
  let sending: IOOperation
  private let operation: String

  init(_ sending: IOOperation, _ operation: String) { (self.sending, self.operation) = (sending, operation) }

  var descriptor: IODescriptor { sending.descriptor }

  func send(_ bytes: UnsafeRawBufferPointer, _ sent: inout Int) async throws {
    sending.kind = .send
    sending.buffer = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
    sending.count = bytes.count
    sending.transferred = 0
    await descriptor.loop.complete(sending)
    sending.buffer = nil
    sent = sending.result >= 0 ? bytes.count : sending.transferred
    guard sending.result >= 0 else { throw descriptor.failure(sending.result, operation) }
  }
}

/// Which part of which file to send.
struct FileRange: Sendable {
  let file: Int32
  let offset: Int64
  /// Nil means everything to the end.
  let count: Int64?

  /// Throws code `invalidArgument` for a count that is not positive, then for a negative offset.
  init(_ file: FileDescriptor, offset: Int64, count: Int64?, _ operation: String) throws(EventLoopError) {
    if let count, count <= 0 {
      throw EventLoopError(.invalidArgument, "\(operation): count is \(count). Give at least 1, or nil for all.")
    }
    guard offset >= 0 else {
      throw EventLoopError(.invalidArgument, "\(operation): offset is \(offset). Give 0 or more.")
    }
    self.file = casyncio_handle_of_file(file.rawValue)
    (self.offset, self.count) = (offset, count)
  }

  /// Return how much to send next.
  func next(after sent: Int64, atMost limit: Int) -> Int {
    count.map { Int(min($0 - sent, Int64(limit))) } ?? limit
  }

  /// Read what comes after `sent` bytes. Blocks. A pipe or a device has no offsets: it is read as it comes, from where
  /// it is.
  func read(_ memory: UnsafeMutableRawPointer, _ count: Int, after sent: Int64) -> Int {
    let n = casyncio_read_at(file, memory, count, offset + sent)
    guard n == -Int(ESPIPE), offset == 0 else { return n }
    return casyncio_read(file, memory, count)
  }
}

/// One transfer. For tasks of the socket's loop.
struct SendFile<Sink: FileSink> {
  /// The most that one call may send: a turn's worth.
  private static var pieceSize: Int { 1024 * 1024 }
  /// The most that the fallback reads at a time. Answers `SENDFILE_FALLBACK_READBUFFER_SIZE`.
  private static var blockSize: Int { 256 * 1024 }

  let sink: Sink
  let range: FileRange
  let operation: String
  private var sent: Int64 = 0

  init(_ range: FileRange, to sink: Sink, _ operation: String) {
    (self.range, self.sink, self.operation) = (range, sink, operation)
  }

  private var core: BaseEventLoop { sink.descriptor.loop }

  /// Send the range and return how many bytes that were. The file's position is then at the end of what was sent, even
  /// if this throws. Throws code `notOffered` if the system cannot do it and `fallback` is false.
  mutating func run(fallback: Bool) async throws -> Int64 {
    do {
      try await wait(for: .flush)
      if try await sendNatively() == false {
        guard fallback else {
          throw EventLoopError(
            .notOffered, "\(operation): the system cannot send this file to a socket by itself. Allow the fallback.")
        }
        try await sendThroughMemory()
        // Only if something is unsent: if the system has everything, a cancellation that comes now is too late to be
        // thrown.
        if core.hasUnsent(sink.descriptor) { try await wait(for: .flush) }
      }
    } catch {
      leavePosition()
      throw error
    }
    leavePosition()
    return sent
  }

  /// Set the file's position. A pipe has none, and the error is ignored.
  private func leavePosition() {
    if sent > 0 { _ = casyncio_set_position(range.file, range.offset + sent) }
  }

  // MARK: By the system

  /// Send by the system. Returns `false` if the system cannot do it and nothing was sent.
  private mutating func sendNatively() async throws -> Bool {
    // The system knows nothing of a layer.
    guard sink.descriptor.layer == nil else { return false }
    guard try file().kind == CASYNCIO_FILE_REGULAR else { return false }
    while true {
      let count = range.next(after: sent, atMost: Self.pieceSize)
      if count == 0 { return true }
      let n = try sink.descriptor.withNumber(operation) {
        core.sockets.sendFile($0, range.file, range.offset + sent, count)
      }
      switch n {
      case 1...:
        sent += n
        if try isComplete() { return true }
        try await letOthersIn()
      case 0: return true
      case -Int64(EAGAIN): try await wait(for: .writable)
      case -Int64(EINTR): continue
      case -Int64(EINVAL), -Int64(ENOSYS), -Int64(EOPNOTSUPP), -Int64(EOVERFLOW):
        if sent == 0 { return false }
        fallthrough
      default: throw sink.descriptor.failure(Int(n), operation)
      }
    }
  }

  private func file() throws -> casyncio_file {
    var file = casyncio_file()
    let status = casyncio_file_of(range.file, &file)
    guard status == 0 else { throw IOError(result: Int(status), operation, "descriptor \(range.file)") }
    return file
  }

  /// True if the last byte of the file has gone.
  private func isComplete() throws -> Bool {
    if let count = range.count, sent >= count { return true }
    return range.offset + sent == (try file().size)
  }

  private func wait(for kind: IOOperation.Kind) async throws {
    let waiting = sink.sending
    waiting.kind = kind
    await core.complete(waiting)
    guard waiting.result >= 0 else { throw sink.descriptor.failure(waiting.result, operation) }
  }

  /// Wait for one turn.
  private func letOthersIn() async throws {
    await core.completeInNextTurn(sink.sending)
    try Task.checkCancellation()
  }

  // MARK: Through memory

  private mutating func sendThroughMemory() async throws {
    let block = FileBlock(Self.blockSize)
    while true {
      let count = range.next(after: sent, atMost: Self.blockSize)
      if count == 0 { return }
      let (range, sent) = (range, self.sent)
      let n = try await core.runToEnd(operation) {
        range.read(block.memory.baseAddress!, count, after: sent)
      }
      if n == 0 { return }
      guard n > 0 else { throw IOError(result: n, operation, "descriptor \(range.file)") }
      try Task.checkCancellation()
      var gone = 0
      defer { self.sent += Int64(gone) }
      try await sink.send(UnsafeRawBufferPointer(rebasing: block.memory[..<n]), &gone)
    }
  }
}

/// Memory for a part of a file. Right as unchecked because a thread of the pool fills it while the task waits for that
/// thread.
private final class FileBlock: @unchecked Sendable {
  let memory: UnsafeMutableRawBufferPointer
  init(_ size: Int) { memory = .allocate(byteCount: size, alignment: 4096) }
  deinit { memory.deallocate() }
}
