internal import CAsyncIO
internal import SystemPackage

extension Socket {
  /// Receive as many bytes as there are, at most `maximum`; waits for the first byte, and returns none at the end of a
  /// stream. Answers `sock_recv`.
  ///
  /// A datagram that is longer is lost, and the call throws ``IOError`` `.messageTooLong`; `.max` has room for any. The
  /// call takes no more memory than the bytes need. Throws code `invalidArgument` for a negative number, `busy`;
  /// ``IOError``, `CancellationError`.
  public func receive(upTo maximum: Int) async throws -> [UInt8] {
    try await receiveDatagram(upTo: maximum, "receive").bytes
  }

  /// Receive into memory of the caller, and return the number of bytes; 0 at the end of a stream. Answers
  /// `sock_recv_into`. See ``receive(upTo:)``.
  public func receive(into span: inout MutableRawSpan) async throws -> Int {
    // Right because the caller lends the memory exclusively until this call returns.
    let memory = span.withUnsafeMutableBytes { $0 }
    return try await receive(memory, "receive")
  }

  /// Receive a datagram of at most `maximum` bytes, with its sender. Answers `sock_recvfrom`. See ``receive(upTo:)``.
  public func receiveDatagram(upTo maximum: Int) async throws -> Datagram {
    try await receiveDatagram(upTo: maximum, "receiveDatagram")
  }

  /// Receive a datagram into memory of the caller, and return its length and its sender. Answers `sock_recvfrom_into`.
  /// See ``receive(upTo:)``.
  ///
  /// - Parameters:
  ///   - span: the memory.
  ///   - count: how much of the memory to use; nil is all of it. Throws code `invalidArgument` for more than there is.
  public func receiveDatagram(
    into span: inout MutableRawSpan, count: Int? = nil
  ) async throws -> (count: Int, address: SocketAddress) {
    let room = span.byteCount
    let count = count ?? room
    guard (0...room).contains(count) else {
      throw EventLoopError(
        .invalidArgument, "receiveDatagram: count is \(count), the memory has \(room) bytes. Give at most that many.")
    }
    // Right because the caller lends the memory exclusively until this call returns.
    let memory = span.withUnsafeMutableBytes { UnsafeMutableRawBufferPointer(rebasing: $0[..<count]) }
    try claimReader("receiveDatagram")
    defer { releaseReader() }
    let n = try await receiveClaimed(memory, "receiveDatagram")
    return (n, sender)
  }

  private func receiveDatagram(upTo maximum: Int, _ operation: String) async throws -> Datagram {
    guard maximum >= 0 else {
      throw EventLoopError(.invalidArgument, "\(operation): the number of bytes is \(maximum). Give 0 or more.")
    }
    try claimReader(operation)
    defer { releaseReader() }
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: try await room(atMost: maximum, operation), alignment: 16)
    defer { memory.deallocate() }
    let n = try await receiveClaimed(memory, operation)
    return Datagram(bytes: Array(memory[..<n]), address: sender)
  }

  /// Return how many bytes can come, at most `maximum`: asking for many is not a reason to take that much memory.
  private func room(atMost maximum: Int, _ operation: String) async throws -> Int {
    if type == .stream { return min(maximum, LentBufferPool.ownCapacity) }
    let usual = DatagramSockets.room(for: family)
    // Datagrams of the internet's protocols are never longer; others may be of any length, and each reports its own.
    if maximum <= usual || family == .ipv4 || family == .ipv6 { return min(maximum, usual) }
    while true {
      receiving.kind = .ready
      await core.complete(receiving)
      guard receiving.result >= 0 else { throw descriptor.failure(receiving.result, operation) }
      let length = try descriptor.withNumber(operation) { casyncio_next_message_length($0) }
      if length >= 0 { return min(maximum, max(usual, length)) }
      // Another process may have been faster.
      guard length == -Int(EAGAIN) else { throw descriptor.failure(length, operation) }
    }
  }

  private func receive(_ memory: UnsafeMutableRawBufferPointer, _ operation: String) async throws -> Int {
    try claimReader(operation)
    defer { releaseReader() }
    return try await receiveClaimed(memory, operation)
  }

  /// Receive; the caller holds the claim. The memory is used only during the system call, which does not wait.
  func receiveClaimed(_ memory: UnsafeMutableRawBufferPointer, _ operation: String) async throws -> Int {
    if memory.isEmpty && type == .stream {
      try await checkpoint()
      return 0
    }
    receiving.kind = .receiveFrom
    receiving.buffer = memory.baseAddress
    receiving.count = memory.count
    await core.complete(receiving)
    receiving.buffer = nil
    let n = receiving.result
    guard n >= 0 else { throw descriptor.failure(n, operation) }
    guard type == .stream || !receiving.isMessageTruncated else {
      throw IOError(.messageTooLong, operation, "a datagram of more than \(memory.count) bytes")
    }
    return n
  }

  /// The sender of what was just received.
  var sender: SocketAddress {
    let length = receiving.messageAddressLength
    guard length > 0 else { return SocketAddress(unnamed: family) }
    return SocketAddress(copying: UnsafeRawBufferPointer(start: messages, count: length))
  }

  /// Wait for a connection and take it, as a socket of this loop. Answers `sock_accept`.
  ///
  /// A cancelled call leaves a connection that comes meanwhile to the next call. Throws ``IOError``
  /// (`.tooManyOpenFiles` if there are no descriptors left, `.invalidArgument` for a socket that does not listen), code
  /// `busy`, `CancellationError`.
  public func accept() async throws -> Socket {
    try await checkpoint()
    try claimReader("accept")
    defer { releaseReader() }
    while true {
      // A wait may end without a connection, and a connection that is not taken is the next caller's.
      try checkCancellation()
      let fd = try descriptor.withNumber("accept") { core.sockets.accept($0) }
      if fd >= 0 { return Socket(fd, family, type, core: core) }
      switch -fd {
      // The connection that failed is gone from the queue; the next one may be fine.
      case EINTR, ECONNABORTED, EPROTO: continue
      case EAGAIN: try await waitForConnection()
      default: throw IOError(result: Int(fd), "accept", localAddress.map { "on \($0)" })
      }
    }
  }

  private func waitForConnection() async throws {
    receiving.kind = .ready
    await core.complete(receiving)
    guard receiving.result >= 0 else { throw descriptor.failure(receiving.result, "accept") }
  }
}
