internal import CAsyncIO
internal import SystemPackage

extension Socket {
  /// Send all the bytes; returns when the system has taken the last one. On a connected datagram socket: send one
  /// datagram. Answers `sock_sendall`.
  ///
  /// Throws ``IOError`` (`.brokenPipe` or `.connectionReset` if the peer is gone), code `busy`, `CancellationError`;
  /// some of the bytes may then have been sent.
  public func sendAll(_ bytes: RawSpan) async throws {
    try claimWriter("sendAll")
    defer { releaseWriter() }
    // Right because the caller lends the bytes until this call returns.
    var sent = 0
    try await sendClaimed(bytes.withUnsafeBytes { $0 }, &sent, "sendAll")
  }

  /// Send all the bytes of an array. See ``sendAll(_:)-(RawSpan)``.
  public func sendAll(_ bytes: [UInt8]) async throws { try await sendAll(bytes.span.bytes) }

  /// Send all the bytes of a span, without a copy. See ``sendAll(_:)-(RawSpan)``.
  public func sendAll(_ bytes: Span<UInt8>) async throws { try await sendAll(bytes.bytes) }

  /// Send all the bytes of a sequence. Arrays, their slices and UTF-8 views are sent in place; any other sequence is
  /// copied into an array first. See ``sendAll(_:)-(RawSpan)``.
  public func sendAll(_ bytes: some Sequence<UInt8>) async throws {
    try await withBytesForWait(of: bytes) { try await sendAll($0) }
  }

  /// Send the UTF-8 of a string. See ``sendAll(_:)-(RawSpan)``.
  public func sendAll(_ text: String) async throws { try await sendAll(text.utf8Span.span.bytes) }

  /// Send the UTF-8 of a part of a string. See ``sendAll(_:)-(RawSpan)``.
  public func sendAll(_ text: Substring) async throws { try await sendAll(text.utf8Span.span.bytes) }

  /// Send one datagram to an address, whole or not at all. Answers `sock_sendto`.
  ///
  /// Throws ``IOError``: `.messageTooLong` for more bytes than the protocol or the socket can send at a time, and
  /// errors that earlier datagrams met, for instance `.connectionRefused`; code `busy`, `CancellationError`.
  public func send(_ bytes: RawSpan, to address: SocketAddress) async throws {
    try claimWriter("send")
    defer { releaseWriter() }
    // Right because the caller lends the bytes until this call returns.
    try await sendDatagramClaimed(bytes.withUnsafeBytes { $0 }, to: address, "send")
  }

  /// Send an array as one datagram. See ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: [UInt8], to address: SocketAddress) async throws {
    try await send(bytes.span.bytes, to: address)
  }

  /// Send a span as one datagram. See ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: Span<UInt8>, to address: SocketAddress) async throws {
    try await send(bytes.bytes, to: address)
  }

  /// Send a sequence of bytes as one datagram, copied where it is not an array, a slice or the UTF-8 of text. See
  /// ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: some Sequence<UInt8>, to address: SocketAddress) async throws {
    try await withBytesForWait(of: bytes) { try await send($0, to: address) }
  }

  /// Send all bytes to the peer; the caller holds the claim. `sent` is valid even if this throws.
  func sendClaimed(_ bytes: UnsafeRawBufferPointer, _ sent: inout Int, _ operation: String) async throws {
    if type != .stream { return try await sendDatagramClaimed(bytes, to: nil, operation) }
    if bytes.isEmpty { try await checkpoint() }
    while sent < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
      let n = await sendMessage(rest, to: nil)
      guard n >= 0 else { throw descriptor.failure(n, operation) }
      sent += n
    }
  }

  /// Send one datagram, to the address or to the peer; the caller holds the claim.
  func sendDatagramClaimed(
    _ bytes: UnsafeRawBufferPointer, to address: SocketAddress?, _ operation: String
  ) async throws {
    var pause = Duration.milliseconds(1)
    while true {
      let n = await sendMessage(bytes, to: address)
      // The queue of the other Unix socket is full; this one is not connected to it, so the system does not report when
      // it has room.
      if n == -Int(ENOBUFS), address?.isUnix == true {
        try await sleep(for: pause)
        pause = min(pause * 2, .milliseconds(50))
        continue
      }
      guard n < 0 else { return }
      throw descriptor.failure(n, operation, address.map { "to \($0)" })
    }
  }

  /// Sleep in whatever thread the task runs.
  private func sleep(for duration: Duration) async throws {
    if core.isRunningInThisThread {
      try await core.sleep(until: core.time().advanced(by: duration))
    } else {
      try await Task.sleep(for: duration)
    }
  }

  private func sendMessage(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) async -> Int {
    sending.kind = .sendTo
    name(address)
    // An empty datagram has no memory; any address will do for zero bytes.
    sending.buffer = UnsafeMutableRawPointer(mutating: bytes.baseAddress) ?? UnsafeMutableRawPointer(messages)
    sending.count = bytes.count
    await core.complete(sending)
    sending.buffer = nil
    return sending.result
  }

  /// Put an address where operations find it.
  func name(_ address: SocketAddress?) {
    sending.messageAddressLength = 0
    address?.withSockaddr { pointer, length in
      sending.messageAddress?.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(length)))
      sending.messageAddressLength = Int(length)
    }
  }
}
