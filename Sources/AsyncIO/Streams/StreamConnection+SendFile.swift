public import SystemPackage

extension StreamConnection {
  /// Send a file, or a part of one, after what was written before, by the system itself where it can (sendfile(2)).
  /// Answers `loop.sendfile`.
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
  /// - Throws: code `invalidArgument` for a `count` below 1, then for a negative offset; `wrongThread` outside of the
  ///   loop's thread, `busy` while another task writes; ``IOError``, `CancellationError`.
  @discardableResult
  public func sendFile(
    _ file: FileDescriptor, offset: Int64 = 0, count: Int64? = nil, fallback: Bool = true
  ) async throws -> Int64 {
    try await checkpoint()
    let range = try FileRange(file, offset: offset, count: count, "sendFile")
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("sendFile") }
    try claimWriter()
    defer { releaseWriter() }
    try checkOpen("sendFile")
    // Every other write expects to find the record like this.
    defer { sending.kind = .send }
    var transfer = SendFile(range, to: OperationSink(sending, "sendFile"), "sendFile")
    return try await transfer.run(fallback: fallback)
  }
}
