internal import CAsyncIO
internal import Logging
internal import SystemPackage

// A transport for datagrams. The traps:
//
// - Errors concern single datagrams: the protocol is told of them and the transport goes on, in both directions.
// - A datagram is sent whole or not at all, and empty ones count: what waits is a queue of datagrams, not of bytes.
// - The queue of an unconnected Unix socket can be full, and no system reports when it has room again: a timer asks.

/// Datagrams as a protocol object sees them. Answers asyncio's `DatagramTransport`. For the loop's thread, see
/// ``BaseTransport``.
public final class DatagramTransport: BaseTransport, FlowControlledTransport {
  let descriptor: IODescriptor
  private let receiving: IOOperation
  let sending: IOOperation
  /// The addresses of both directions.
  let messages = UnsafeMutablePointer<casyncio_message>.allocate(capacity: 2)
  private let memory: UnsafeMutableRawBufferPointer
  private let relay = DatagramRelay()
  private let opened: OpenDatagramSocket
  private let sockname: SocketAddress?

  @exclusivity(unchecked) var proto: (any DatagramProtocol)?
  @exclusivity(unchecked) var outgoing = OutgoingDatagrams()
  /// The timer that asks again where the system does not report.
  @exclusivity(unchecked) var retry: TimerHandle?

  /// The only address that datagrams may go to.
  var remote: SocketAddress? { opened.remote }
  /// True if the system knows the remote address.
  var isConnected: Bool { opened.isConnected }

  /// Take over a non-blocking datagram socket, in the loop's thread.
  init(_ opened: OpenDatagramSocket, core: BaseEventLoop) {
    self.opened = opened
    sockname = core.sockets.localAddress(of: opened.fd)
    descriptor = IODescriptor(opened.fd, loop: core)
    descriptor.isReadable = true
    descriptor.freesAddress = true
    receiving = IOOperation(.receiveFrom, on: descriptor)
    sending = IOOperation(.sendTo, on: descriptor)
    memory = .allocate(byteCount: DatagramSockets.room(for: opened.family), alignment: 16)
    messages.initialize(repeating: casyncio_message(), count: 2)
    receiving.message = messages
    sending.message = messages + 1
    core.backend.attach(descriptor)
    super.init(core: core)
    relay.transport = self
    receiving.observer = .passUnretained(relay)
    sending.observer = .passUnretained(relay)
  }

  deinit {
    outgoing.removeAll()
    memory.deallocate()
    messages.deallocate()
    guard !descriptor.isClosed else { return }
    warnOfDrop("it was dropped")
    opened.file?.remove(core.logger)
    descriptor.close()
  }

  override var summary: String {
    let state = life.isClosing ? "closing" : "open"
    let (local, remote) = (sockname.map { ", \($0)" } ?? "", remote.map { ", remote \($0)" } ?? "")
    return "DatagramTransport (descriptor \(descriptor.fileDescriptor)\(local)\(remote), \(state))"
  }

  override var waitingSize: Int { life.phase >= .ending ? 0 : outgoing.size }

  override var socketNames: String? { socketText(descriptor.fileDescriptor, sockname, remote) }

  override func extraInfo(_ name: String) -> Any? {
    switch name {
    case "socket": TransportSocket(descriptor)
    case "sockname": sockname
    case "peername": isConnected ? remote : nil
    default: nil
    }
  }

  // MARK: Beginning and ending

  override func adopt(_ proto: any BaseProtocol) throws(EventLoopError) {
    guard let proto = proto as? any DatagramProtocol else {
      throw EventLoopError(
        .invalidArgument, "\(type(of: proto)) is not a protocol for datagrams. Conform it to DatagramProtocol.")
    }
    self.proto = proto
  }

  override func disown() { proto = nil }

  override func tellMade() throws { try proto?.connectionMade(self) }

  override func begin() { receive() }

  override func closeHere() {
    let isFlushed = life.close(hasOutput: !outgoing.isEmpty)
    stopReceiving()
    if isFlushed { finish(nil) }
  }

  override func stop() {
    stopReceiving()
    retry?.cancel()
    retry = nil
    // A datagram stays in place until the operation has ended.
    if sending.state == .inFlight { core.backend.cancel(sending) } else { outgoing.removeAll() }
    hold()
  }

  override func giveBack() -> Bool { descriptor.giveBack() }

  override func release() {
    opened.file?.remove(core.logger)
    descriptor.close()
  }

  /// Keep the transport alive while the backend knows its operations.
  func hold() {
    keep(receiving.state == .inFlight || sending.state == .inFlight)
  }

  override func settle() { hold() }

  // MARK: Receiving

  private func receive() {
    guard life.phase == .open, receiving.state != .inFlight else { return }
    receiving.buffer = memory.baseAddress
    receiving.count = memory.count
    receiving.sequence &+= 1
    // What is already there comes in the next turn: others must have theirs.
    if core.backend.submit(receiving) { core.completeNextTurn(receiving) }
    hold()
  }

  private func stopReceiving() {
    if receiving.state == .inFlight { core.backend.cancel(receiving) }
    hold()
  }

  /// The number of datagrams delivered in a turn.
  private static var burst: Int { 16 }

  private func received() {
    for _ in 0..<Self.burst {
      deliver()
      guard life.phase == .open else { return }
      receiving.sequence &+= 1
      guard core.backend.submit(receiving) else { return }
    }
    core.completeNextTurn(receiving)
  }

  private func deliver() {
    let n = receiving.result
    // From `stopReceiving`, or from the loop that closes. A datagram that came at the last moment is not wanted.
    guard life.phase == .open, n != -Int(ECANCELED) else { return }
    if n < 0 { return tell(IOError(result: n, "receive", subject)) }
    if receiving.isMessageTruncated {
      return tell(IOError(.messageTooLong, "receive", "a datagram of more than \(memory.count) bytes"))
    }
    // Right because the memory is this transport's and nothing is received before the call has returned.
    let bytes = UnsafeRawBufferPointer(rebasing: memory[..<n]).bytes
    let length = receiving.messageAddressLength
    let sender =
      length > 0
      ? SocketAddress(copying: UnsafeRawBufferPointer(start: messages, count: length))
      : SocketAddress(unnamed: opened.family)
    call("datagramReceived") { try proto?.datagramReceived(bytes, from: sender) }
  }

  var subject: String { "descriptor \(descriptor.fileDescriptor)" }

  /// Tell the protocol of an error; everything goes on.
  func tell(_ error: IOError) {
    call("errorReceived") { try proto?.errorReceived(error) }
  }

  fileprivate func ended(_ operation: IOOperation) {
    if operation === receiving { received() } else { sent() }
    hold()
  }
}

/// Tells a transport of the ends of its operations.
private final class DatagramRelay: OperationObserver {
  /// Right because a transport is alive while an operation of it is in flight.
  unowned(unsafe) var transport: DatagramTransport?

  override func operationEnded(_ operation: IOOperation) {
    guard let transport else { return }
    transport.ended(operation)
  }
}
