internal import CAsyncIO
internal import Logging
internal import SystemPackage

// A connected stream socket that calls back. The completions of its two operations drive it, in the loop's poll phase,
// like the synchronous handler of a stream. The traps:
//
// - The backend knows an operation in flight by its address. So a transport holds itself while one of its operations is
//   in flight, and a transport that is dropped has none.
// - The protocol may do anything in a callback: pause, close, switch protocols, drop the transport. So after a callback
//   nothing is done without a new look at the state.

/// A connected byte stream for a protocol object, TCP or Unix. Answers asyncio's `Transport`.
///
/// **Threads.** See ``BaseTransport``.
public class StreamTransport: BaseTransport, ReadTransport, WriteTransport {
  final let descriptor: IODescriptor
  final let receiving: IOOperation
  final let sending: IOOperation
  private final let relay = StreamRelay()

  /// How the protocol takes bytes.
  enum Reception {
    case none
    case plain(any StreamProtocol)
    case buffered(any BufferedProtocol)
  }

  @exclusivity(unchecked) final var reception = Reception.none
  /// Bytes of a chunk that a buffered protocol had no room for before it paused.
  @exclusivity(unchecked) final var parked: [UInt8] = []
  /// The turn that brought the last chunk or the end.
  @exclusivity(unchecked) final var turnOfChunk: UInt64 = 0
  @exclusivity(unchecked) final var outgoing = OutgoingBytes()
  /// True if a file is to be sent, and nothing else may be written.
  @exclusivity(unchecked) final var isSendingFile = false
  /// True while the file is being sent and uses the sending record.
  @exclusivity(unchecked) final var fileHasRecord = false
  /// True while the two sides agree on the protection: nothing of the protocol's may be written.
  @exclusivity(unchecked) final var isShakingHands = false
  /// The tasks that wait until nothing waits to be sent.
  final var drained: LoopWaiters?
  private final var isAbortive = false
  private final let sockname: SocketAddress?
  private final let peername: SocketAddress?

  /// Take over a connected, non-blocking socket that is in the loop's care, on the loop's thread.
  init(_ descriptor: IODescriptor) {
    self.descriptor = descriptor
    receiving = IOOperation(.receiveLent, on: descriptor)
    sending = IOOperation(.send, on: descriptor)
    sockname = descriptor.loop.sockets.localAddress(of: descriptor.fileDescriptor)
    peername = descriptor.loop.sockets.peerAddress(of: descriptor.fileDescriptor)
    super.init(core: descriptor.loop)
    relay.transport = self
    receiving.observer = .passUnretained(relay)
    sending.observer = .passUnretained(relay)
  }

  /// Take a connected, non-blocking socket into the loop's care.
  ///
  /// - Parameter shortReadsDrain: true of TCP, see ``IODescriptor/shortReadsDrain``.
  convenience init(_ fd: Int32, shortReadsDrain: Bool = false, core: BaseEventLoop) {
    let descriptor = IODescriptor(fd, loop: core)
    descriptor.shortReadsDrain = shortReadsDrain
    core.backend.attach(descriptor)
    self.init(descriptor)
    if sockname?.isIP == true { core.sockets.setNoDelay(fd) }
  }

  deinit {
    guard !descriptor.isClosed else { return }
    warnOfDrop("it was dropped")
    descriptor.close()
  }

  override var summary: String {
    let state = life.isClosing ? "closing" : receiving.state == .inFlight ? "reading" : "idle"
    let peer = peername.map { ", peer \($0)" } ?? ""
    return "StreamTransport (descriptor \(descriptor.fileDescriptor)\(peer), \(state))"
  }

  override var waitingSize: Int { waitingBytes }

  override var socketNames: String? { socketText(descriptor.fileDescriptor, sockname, peername) }

  override func extraInfo(_ name: String) -> Any? {
    switch name {
    case "socket": TransportSocket(descriptor)
    case "sockname": sockname
    case "peername": peername
    case "tls": (descriptor.layer as? TLSLink)?.information
    default: nil
    }
  }

  override func adopt(_ proto: any BaseProtocol) throws(EventLoopError) {
    reception = try Self.reception(of: proto)
  }

  override func disown() { reception = .none }

  static func reception(of proto: any BaseProtocol) throws(EventLoopError) -> Reception {
    if let proto = proto as? any BufferedProtocol { return .buffered(proto) }
    if let proto = proto as? any StreamProtocol { return .plain(proto) }
    throw EventLoopError(
      .invalidArgument,
      "\(type(of: proto)) is not a protocol for a stream. Conform it to StreamProtocol or BufferedProtocol.")
  }

  // MARK: Beginning and ending

  override func tellMade() throws {
    switch reception {
    case .none: break
    case .plain(let proto): try proto.connectionMade(self)
    case .buffered(let proto): try proto.connectionMade(self)
    }
  }

  override func begin() {
    if life.wantsInput { receive() }
  }

  override func closeHere() {
    if isShakingHands { return fail(nil) }
    let lost = core.backend.takeSendError(of: descriptor)
    if lost != 0 { return lose(lost, "write") }
    let isFlushed = life.close(hasOutput: !outgoing.isEmpty, isSettled: isSettled)
    stopReceiving()
    if isFlushed { finish(nil) } else if life.phase == .settling { awaitResult() }
  }

  override func abortHere() {
    if life.phase < .ending { isAbortive = true }
    super.abortHere()
  }

  override func stop() {
    stopReceiving()
    dropOutput()
    drained?.resumeAll()
  }

  override func giveBack() -> Bool { descriptor.giveBack() }

  override func release() {
    descriptor.close(abortively: isAbortive)
    parked = []
  }

  /// End the transport after a failed socket call. It is reported in debug mode only, because peers come and go.
  final func lose(_ result: Int, _ operation: String) {
    let error = descriptor.failure(result, operation)
    if core.isDebug { core.logger.debug("\(description): \(error)") }
    fail(error)
  }

  // MARK: Operations

  /// Keep the transport alive while the backend knows its operations.
  @inline(__always)
  final func hold() {
    keep(receiving.state == .inFlight || sending.state == .inFlight)
  }

  override func settle() { hold() }

  @inline(__always)
  fileprivate final func ended(_ operation: IOOperation) {
    if operation === receiving {
      received()
    } else {
      switch operation.kind {
      case .flush: settled()
      case .ready: handshakeEnded()
      default: sent()
      }
    }
    hold()
  }
}

/// Tells a transport of the ends of its operations. (A class of its own because a transport is public and an observer
/// is not.)
final class StreamRelay: OperationObserver {
  /// Right because a transport is alive while an operation of it is in flight.
  unowned(unsafe) var transport: StreamTransport?

  override func operationEnded(_ operation: IOOperation) {
    guard let transport else { return }
    transport.ended(operation)
  }
}
