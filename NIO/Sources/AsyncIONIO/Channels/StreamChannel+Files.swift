@_spi(Channels) internal import AsyncIO
internal import NIOCore
internal import SystemPackage

// Files in the output. The system sends them if it can. Where it cannot (Windows, simulated worlds), a thread of the
// loop's pool reads a block, and the block is sent as bytes are, then the next one. The traps:
//
// - While a block is read, the channel may close, and the caller may close the file. The thread has a descriptor of its
//   own, and a block that nobody wants is dropped.
// - The block holds what the first region begins with: both lose the bytes that were sent.

/// What a channel has read of the file that is sent first.
struct FileBlock {
  /// How much is read at a time.
  static var size: Int { 256 * 1024 }

  /// The bytes that were read and have not been sent.
  var bytes = ByteBuffer()
  /// True while a thread reads.
  var isComing = false
}

extension StreamChannel {
  /// Send a piece of a file. Returns how much was sent, or a negated errno, and how much there was to send.
  func sendFile(_ region: FileRegion) -> (sent: Int, wanted: Int) {
    let count = region.readableBytes
    guard count > 0 else { return (0, 0) }
    if fileBlock.bytes.readableBytes > 0 { return (sendBlock(), count) }
    let sent = try? region.fileHandle.withUnsafeFileDescriptor { file in
      socket.sendFile(file, from: Int64(region.readerIndex), count: count)
    }
    guard let sent else { return (-Int(ErrorNumber.badDescriptor), count) }
    guard sent == -Int(ErrorNumber.noFunction) else { return (sent, count) }
    do {
      try readBlock(of: region)
      return (0, count)
    } catch {
      return (-Int(ErrorNumber.of(error)), count)
    }
  }

  private func sendBlock() -> Int {
    let sent = fileBlock.bytes.withUnsafeReadableBytes { socket.send($0, exactly: writes.promiseCount > 0) }
    if sent > 0 { fileBlock.bytes.moveReaderIndex(forwardBy: sent) }
    return sent
  }

  /// Have the next block read. ``sendFlushed()`` goes on when it is there.
  private func readBlock(of region: FileRegion) throws {
    let file = OwnFile(try region.fileHandle.duplicate())
    let (offset, count) = (Int64(region.readerIndex), min(region.readableBytes, FileBlock.size))
    var memory = allocator.buffer(capacity: count)
    let reading = try loop.base.runInExecutor(nil) { [memory] in
      var bytes = memory
      try file.read(&bytes, from: offset, count)
      return bytes
    }
    memory = ByteBuffer()
    fileBlock.isComing = true
    reading.addDoneCallback { future in
      // A callback of a future is in the thread of its loop.
      self.blockCame(Result { try future.result() })
    }
  }

  private func blockCame(_ result: Result<ByteBuffer, any Error>) {
    fileBlock.isComing = false
    guard life.isActive else { return }
    switch result {
    case .success(let bytes):
      fileBlock.bytes = bytes
      sendFlushed()
    case .failure(let error): writeFailed(-Int(ErrorNumber.of(error)))
    }
  }
}

/// A file that is closed with this object.
private final class OwnFile: Sendable {
  private let handle: NIOFileHandle

  init(_ handle: NIOFileHandle) { self.handle = handle }

  deinit { try? handle.close() }

  /// Read at most `count` bytes from an offset on; blocks. Throws if the file ends before it: the promise of the write
  /// could never be kept.
  func read(_ bytes: inout ByteBuffer, from offset: Int64, _ count: Int) throws {
    let count = try handle.withUnsafeFileDescriptor { number in
      try bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
        try SystemPackage.FileDescriptor(rawValue: number)
          .read(fromAbsoluteOffset: offset, into: UnsafeMutableRawBufferPointer(rebasing: memory[..<count]))
      }
    }
    if count == 0 { throw Errno.ioError }
  }
}
