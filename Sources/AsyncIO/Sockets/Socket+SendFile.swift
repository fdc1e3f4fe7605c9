public import SystemPackage

extension Socket {
  /// Send a file, or a part of one, by the system itself where it can (sendfile(2)). Answers `sock_sendfile`.
  ///
  /// The file's position is then at the end of what was sent, even if this throws. If the system cannot send the file
  /// (a pipe, some file systems) it is read in a thread of the loop's default executor and sent, 256 KiB at a time. If
  /// the bytes are not in memory, sendfile(2) waits for the disk in the loop's thread, one piece of at most 1 MiB at a
  /// time.
  ///
  /// - Parameters:
  ///   - file: stays the caller's, open until this returns.
  ///   - offset: where to begin, in bytes.
  ///   - count: how many bytes; nil is everything to the end of the file.
  ///   - fallback: false throws code `notOffered` instead of reading the file.
  /// - Returns: how many bytes were sent; fewer than `count` if the file ends first.
  /// - Throws: code `invalidArgument` for a socket of another type than a stream, then for a `count` below 1, then for
  ///   a negative offset; `wrongThread` outside of the loop's thread, `busy`; ``IOError``, `CancellationError`.
  @discardableResult
  public func sendFile(
    _ file: FileDescriptor, offset: Int64 = 0, count: Int64? = nil, fallback: Bool = true
  ) async throws -> Int64 {
    try await checkpoint()
    guard type == .stream else {
      throw EventLoopError(.invalidArgument, "sendFile: the socket carries datagrams. Give a stream socket.")
    }
    let range = try FileRange(file, offset: offset, count: count, "sendFile")
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("sendFile") }
    try claimWriter("sendFile")
    defer { releaseWriter() }
    var transfer = SendFile(range, to: SocketSink(socket: self), "sendFile")
    return try await transfer.run(fallback: fallback)
  }
}

private struct SocketSink: FileSink {
  let socket: Socket
  var descriptor: IODescriptor { socket.descriptor }
  var sending: IOOperation { socket.sending }

  func send(_ bytes: UnsafeRawBufferPointer, _ sent: inout Int) async throws {
    try await socket.sendClaimed(bytes, &sent, "sendFile")
  }
}
