internal import CAsyncIO
internal import Logging
internal import SystemPackage

extension DatagramTransport {
  /// Send a datagram: at once if the system takes it, otherwise in order as it takes more. Never waits. Answers
  /// `sendto`.
  ///
  /// An error of the system goes to the protocol's ``DatagramProtocol/errorReceived(_:)``, perhaps from inside this
  /// call. A closing transport takes the datagram as long as earlier ones wait; after that it drops it, with a warning
  /// from the fifth time on.
  ///
  /// - Parameters:
  ///   - bytes: the payload; may be empty.
  ///   - address: the receiver. With a remote address it may be left out, and no other address is allowed.
  /// - Throws: code `invalidArgument` for an address that is missing or is not the remote one, `wrongThread` off the
  ///   loop's thread.
  public func send(_ bytes: RawSpan, to address: SocketAddress? = nil) throws(EventLoopError) {
    try checkThread("send")
    try check(address)
    switch life.write(isEmpty: false) {
    case .send: bytes.withUnsafeBytes { send($0, to: isConnected ? nil : address ?? remote) }
    case .discardLoudly: core.logger.warning("\(description): a datagram sent after the end is dropped")
    case .discard, .refuse: break
    }
  }

  /// Send an array as one datagram. See ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: [UInt8], to address: SocketAddress? = nil) throws(EventLoopError) {
    try send(bytes.span.bytes, to: address)
  }

  /// Send a span as one datagram. See ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: Span<UInt8>, to address: SocketAddress? = nil) throws(EventLoopError) {
    try send(bytes.bytes, to: address)
  }

  /// Send a sequence of bytes as one datagram. A sequence that is not contiguous is copied into an array first. See
  /// ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: some Sequence<UInt8>, to address: SocketAddress? = nil) throws(EventLoopError) {
    try withBytes(of: bytes) { bytes throws(EventLoopError) in try send(bytes, to: address) }
  }

  private func check(_ address: SocketAddress?) throws(EventLoopError) {
    if let address, let remote, address != remote {
      throw EventLoopError(
        .invalidArgument,
        "send: the transport sends to \(remote) only, not to \(address). Leave the address out.")
    }
    if address == nil && remote == nil {
      throw EventLoopError(.invalidArgument, "send: the transport has no remote address. Give one with each datagram.")
    }
  }

  // MARK: Sending

  private func send(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) {
    guard outgoing.isEmpty else { return enqueue(bytes, to: address) }
    if submit(bytes, to: address) {
      if isWorthRetrying(address) {
        enqueue(bytes, to: address)
        return sendLater()
      }
      return tellResult(address)
    }
    // It waits, now in memory of the transport: a backend uses the caller's bytes only during its call.
    outgoing.append(bytes, to: address)
    sending.buffer = outgoing.first?.bytes.baseAddress
    hold()
    act(on: flow.update(outgoing.size))
  }

  private func enqueue(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) {
    outgoing.append(bytes, to: address)
    act(on: flow.update(outgoing.size))
  }

  /// Submit an operation. Returns `true` if the system has answered.
  private func submit(_ bytes: UnsafeRawBufferPointer, to address: SocketAddress?) -> Bool {
    // An empty datagram has no memory; any address will do for zero bytes.
    sending.buffer = UnsafeMutableRawPointer(mutating: bytes.baseAddress) ?? UnsafeMutableRawPointer(messages)
    sending.count = bytes.count
    sending.messageAddressLength = 0
    address?.withSockaddr { pointer, length in
      sending.messageAddress?.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(length)))
      sending.messageAddressLength = Int(length)
    }
    sending.sequence &+= 1
    return core.backend.submit(sending)
  }

  private func tellResult(_ address: SocketAddress?) {
    guard sending.result < 0 else { return }
    tell(IOError(result: sending.result, "send", address.map { "to \($0)" } ?? subject))
  }

  func sent() {
    sending.buffer = nil
    guard life.phase < .ending else { return outgoing.removeAll() }
    takeResult()
    sendRest()
  }

  /// Hand over what waits, until it has to wait for the system or nothing is left.
  private func sendRest() {
    while sending.state != .inFlight, retry == nil, life.phase < .ending, let item = outgoing.first {
      guard submit(UnsafeRawBufferPointer(item.bytes), to: item.address) else { break }
      takeResult()
    }
    hold()
  }

  /// Take the result of the first datagram in the queue: the books first, then the protocol, then the end after the
  /// last one.
  private func takeResult() {
    guard let address = outgoing.first.map(\.address) else { return }
    if isWorthRetrying(address) { return sendLater() }
    outgoing.removeFirst()
    tellResult(address)
    guard life.phase < .ending else { return }
    act(on: flow.update(outgoing.size))
    if outgoing.isEmpty, life.flushed() == .finish { finish(nil) }
  }

  // MARK: Where nobody reports that there is room

  private func isWorthRetrying(_ address: SocketAddress?) -> Bool {
    sending.result == -Int(ENOBUFS) && address?.isUnix == true
  }

  private func sendLater() {
    nonisolated(unsafe) let transport = self  // used in its own thread only
    retry = try? core.callLater(.milliseconds(2)) {
      transport.retry = nil
      transport.sendRest()
    }
  }
}
