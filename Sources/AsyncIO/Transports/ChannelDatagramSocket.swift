internal import CAsyncIO
internal import SystemPackage

// A socket for datagrams in the hands of a framework with channels of its own, as ``ChannelSocket`` is for streams.
//
// - A datagram is received into memory that is here, because a wait may end with one in it, and is copied from there.
// - A datagram that has to wait for the system is copied: a backend uses the owner's bytes only during its call. One
//   waits at a time, and the owner keeps the others.
// - The queue of an unconnected Unix socket can be full, and no system reports when it has room again: a timer asks.

/// A socket for datagrams, whose owner keeps the books. Loop thread.
@_spi(Channels)
public final class ChannelDatagramSocket: ChannelEndpoint {
  let family: AddressFamily
  /// What goes with the bytes, in both directions.
  private let messages = UnsafeMutablePointer<casyncio_message>.allocate(capacity: 2)
  private let memory: UnsafeMutableRawBufferPointer
  /// The datagram that waits.
  private var waiting: UnsafeMutableRawBufferPointer?
  private var retry: TimerHandle?
  /// What came with a datagram, and what one is sent with; nil until it is wanted.
  private var metadata: UnsafeMutablePointer<casyncio_metadata>?

  /// Create a socket that does not block, to bind to an address or connect to it. Throws ``IOError``.
  ///
  /// - Parameter proto: the system's number of the protocol; 0 is the usual one of the address's family.
  public static func open(
    for address: SocketAddress, proto: Int32 = 0, on loop: BaseEventLoop
  ) throws(IOError) -> ChannelDatagramSocket {
    let proto = proto == 0 && address.isIP ? Int32(IPPROTO_UDP) : proto
    let fd = try loop.sockets.ofCaller.open(for: AddressInfo(address, type: .datagram, proto: proto))
    return ChannelDatagramSocket(fd, address.addressFamily, on: loop)
  }

  init(_ fileDescriptor: Int32, _ family: AddressFamily, on loop: BaseEventLoop) {
    self.family = family
    memory = .allocate(byteCount: DatagramSockets.room(for: family), alignment: 16)
    messages.initialize(repeating: casyncio_message(), count: 2)
    let descriptor = IODescriptor(fileDescriptor, loop: loop)
    super.init(
      descriptor, receiving: IOOperation(.receiveFrom, on: descriptor), sending: IOOperation(.sendTo, on: descriptor))
    descriptor.isReadable = true
    descriptor.freesAddress = true
    receiving.message = messages
    sending.message = messages + 1
  }

  deinit {
    waiting?.deallocate()
    memory.deallocate()
    messages.deallocate()
    metadata?.deallocate()
  }

  /// The memory for metadata: of the datagram that came, then of the one that is sent.
  private func metadataMemory() -> UnsafeMutablePointer<casyncio_metadata> {
    if let metadata { return metadata }
    let memory = UnsafeMutablePointer<casyncio_metadata>.allocate(capacity: 2)
    memory.initialize(repeating: casyncio_metadata(), count: 2)
    metadata = memory
    return memory
  }

  /// Send to this address only, and receive only from there. Throws ``IOError``.
  public func connect(to remote: SocketAddress) throws(IOError) {
    try check("connect") { sockets.connect($0, remote) }
  }

  /// Close it, and tell the owner nothing more. Idempotent.
  public override func close() {
    retry?.cancel()
    retry = nil
    super.close()
  }

  // MARK: Input

  /// What a socket has received.
  public struct Datagram {
    /// The number of bytes that are in the caller's memory.
    public let count: Int
    /// True if there were more, which are lost.
    public let isTruncated: Bool
    /// The sender. A Unix socket without a name has an address without one.
    public let sender: SocketAddress
    /// What came with it; nil unless ``ChannelDatagramSocket/collectsMetadata`` is set.
    public let metadata: Metadata?
  }

  /// True to have what the system reports with each datagram, see ``set(_:_:)``. Loop thread.
  public var collectsMetadata: Bool {
    get { messages.pointee.metadata != nil }
    set {
      guard newValue != collectsMetadata else { return }
      let memory = metadataMemory()
      // A datagram that has come without has not that of an earlier one.
      memory.pointee = casyncio_metadata()
      messages.pointee.metadata = newValue ? memory : nil
    }
  }

  /// Wait for input. Idempotent.
  public override func awaitInput() {
    core.assertLoopThread()
    guard !descriptor.isClosed else { return }
    isUnwanted = false
    guard receiving.state != .inFlight else { return }
    if isThere || receive() { core.completeNextTurn(receiving) }
    hold()
  }

  private func receive() -> Bool {
    (receiving.buffer, receiving.count) = (memory.baseAddress, memory.count)
    return submit(receiving, .receiveFrom)
  }

  /// Take the next datagram, as far as there is room for it. Returns nil if there is none: then ``awaitInput()`` waits
  /// for one. Throws ``IOError``; code `connectionRefused` for an earlier datagram that its receiver's system refused.
  public func takeDatagram(into room: UnsafeMutableRawBufferPointer) throws(IOError) -> Datagram? {
    core.assertLoopThread()
    guard !descriptor.isClosed else { throw .closedHere("receive", "socket") }
    guard receiving.state != .inFlight else { return nil }
    defer { hold() }
    // A wait that this begins goes on: nothing gets lost, and the owner may want it.
    guard isThere || receive() else { return nil }
    isThere = false
    let size = receiving.result
    if size == -Int(EAGAIN) { return nil }
    guard size >= 0 else { throw IOError(result: size, "receive", "descriptor \(descriptor.fileDescriptor)") }
    let count = min(size, room.count)
    room.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<count]))
    let length = receiving.messageAddressLength
    let sender =
      length > 0
      ? SocketAddress(copying: UnsafeRawBufferPointer(start: messages, count: length)) : SocketAddress(unnamed: family)
    return Datagram(
      count: count, isTruncated: size > count || receiving.isMessageTruncated, sender: sender,
      metadata: messages.pointee.metadata.map { Metadata($0.pointee) })
  }

  override func inputEnded() {
    isThere = receiving.result != -Int(ECANCELED)
    if isThere, !isUnwanted, !descriptor.isClosed { owner?.inputIsThere() }
  }

  // MARK: Output

  /// Send a datagram, whole. Returns 0, or a negated errno: `-EALREADY` while another one waits. Returns nil if it
  /// waits for the system: the owner is told how that ends.
  ///
  /// - Parameters:
  ///   - address: the receiver; nil is the address that the socket is connected to.
  ///   - outgoing: what to send with it. `-EOPNOTSUPP` if the socket has no metadata, see ``hasMetadata``, and
  ///     `-EINVAL` if a number of it is out of its range.
  public func send(
    _ bytes: UnsafeRawBufferPointer, to address: SocketAddress?, with outgoing: Metadata? = nil
  ) -> Int? {
    core.assertLoopThread()
    guard !descriptor.isClosed else { return -Int(EBADF) }
    guard waiting == nil else { return -Int(EALREADY) }
    if let outgoing, let failure = failure(of: outgoing) { return failure }
    messages[1].metadata = outgoing.map { outgoing in
      let memory = metadataMemory() + 1
      outgoing.write(to: memory, for: family)
      return memory
    }
    sending.messageAddressLength = 0
    address?.withSockaddr { pointer, length in
      sending.messageAddress?.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(length)))
      sending.messageAddressLength = Int(length)
    }
    guard submit(bytes) else {
      keep(bytes)
      hold()
      return nil
    }
    guard isWorthRetrying else { return min(sending.result, 0) }
    keep(bytes)
    sendLater()
    return nil
  }

  private func submit(_ bytes: UnsafeRawBufferPointer) -> Bool {
    // An empty datagram has no memory; any address will do for zero bytes.
    sending.buffer = UnsafeMutableRawPointer(mutating: bytes.baseAddress) ?? UnsafeMutableRawPointer(messages)
    sending.count = bytes.count
    return submit(sending, .sendTo)
  }

  private func keep(_ bytes: UnsafeRawBufferPointer) {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    copy.copyMemory(from: bytes)
    waiting = copy
    if !bytes.isEmpty { sending.buffer = copy.baseAddress }
  }

  override func outputEnded() {
    if !descriptor.isClosed && isWorthRetrying { return sendLater() }
    waiting?.deallocate()
    waiting = nil
    super.outputEnded()
  }

  // MARK: Where nobody reports that there is room

  private var isWorthRetrying: Bool { sending.result == -Int(ENOBUFS) && family == .unix }

  private func sendLater() {
    // Right because the timer calls back in the loop's thread, which is the only one that uses the socket.
    nonisolated(unsafe) let socket = self
    retry = try? core.callLater(.milliseconds(2)) {
      socket.retry = nil
      socket.sendAgain()
    }
  }

  private func sendAgain() {
    guard !descriptor.isClosed, let waiting else { return }
    if submit(UnsafeRawBufferPointer(waiting)) { outputEnded() } else { hold() }
  }
}
