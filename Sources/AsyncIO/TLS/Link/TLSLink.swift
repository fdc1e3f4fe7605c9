internal import COpenSSL
internal import Synchronization
internal import SystemPackage

// A session under a connection: the layer that turns the user's bytes into records and the peer's records into bytes.
// The traps:
//
// - A record is whole or worthless. What the session has written must reach the socket in order and completely, even if
//   the write that it comes from is cancelled; so it goes into `outgoing`, and a cancelled write ends while its last
//   records are still on their way.
// - The session is asked only when its user wants something: a connection that nobody reads decrypts nothing, and the
//   peer waits. So bytes that come early stay in the system, as they do without a layer.
// - Both directions of the user need both directions of the socket: a read may have to answer, and a handshake reads
//   and writes. The link has one operation of its own for each direction, and the user's operations wait at the link.
// - A peer can make the session answer, by asking for new keys or for what is refused, and never read the answers. So
//   nothing more is decrypted while too many of them wait.
// - What the session writes stands in a block that all connections of the loop share. It is sent, or copied, before
//   anything else runs. Large records do not get there: the session has them sent while it is at work.
// - The end of an operation may make its user close the connection, and drop it. So the link holds itself while it
//   works on an event, and after an end nothing is believed without a new look.
// - A peer that refuses this side says why and closes. A send that meets the close fails before anybody has read the
//   reason. So a failed send ends no read, and a write ends when the peer's last words were heard.
// - An unread byte at the close resets the connection, and the reset takes away what the peer has not read yet. A
//   server of TLS 1.3 sends tickets that a client may never read. So a close says goodbye, ends the stream, and
//   discards what comes until the peer has ended as well, for a limited time.

/// The protection of one connection, in its loop's thread. Made with ``start()``, and the descriptor holds it from then
/// on.
final class TLSLink: StreamLayer {
  // Unsafe, and right: each caller has one of the link's operations or its connection, which hold both.
  unowned(unsafe) let descriptor: IODescriptor
  private let loop: Unmanaged<BaseEventLoop>
  let session: any TLSSession
  let bytes: TLSBytes
  let scratch: TLSScratch
  let limits: TLSLimits
  /// The session receives from the socket itself, into its own memory.
  let receivesDirectly: Bool
  /// The link's own operations. They and the descriptor hold each other until the number is closed.
  @exclusivity(unchecked) private var operations: (receiving: IOOperation, sending: IOOperation)?
  // Unmanaged, as a retain for each look would be dear. Right while the link is not gone.
  let receiving: Unmanaged<IOOperation>
  let sending: Unmanaged<IOOperation>

  @exclusivity(unchecked) var life = TLSLife()
  /// Records that the system has not taken yet.
  @exclusivity(unchecked) var outgoing = OutgoingBytes()
  /// The receive has ended, and its bytes were not fetched.
  @exclusivity(unchecked) var isReadable = false
  /// Where the input of the session is.
  @exclusivity(unchecked) var inputMemory = InputMemory.none
  enum InputMemory {
    /// There is none.
    case none
    /// In the lent memory of the receive.
    case received
    /// In a buffer of the link: it had come before the link, or after the end of a record.
    case kept(LentBufferPool.Buffer)
  }

  // Unmanaged as in the descriptor: the task that waits keeps its operation alive.
  /// The user's operation that waits to read.
  @exclusivity(unchecked) var reader: Unmanaged<IOOperation>?
  /// The user's operation that waits to write.
  @exclusivity(unchecked) var writer: Unmanaged<IOOperation>?
  /// The operation that waits for the end of the handshake.
  @exclusivity(unchecked) var opener: Unmanaged<IOOperation>?
  @exclusivity(unchecked) var limit: TLSTimeLimit?

  /// Prepare the protection of a connected descriptor that nothing waits on. Loop thread.
  ///
  /// - Parameters:
  ///   - serverName: for clients: the host whose certificate is expected.
  ///   - early: bytes that had already come. The session takes them as the peer's, and never the user.
  init(
    _ descriptor: IODescriptor, _ context: TLSContext, serverName: String?, limits: TLSLimits, early: [UInt8] = []
  ) throws(TLSError) {
    let core = descriptor.loop
    try core.check(context)
    loop = .passUnretained(core)
    self.descriptor = descriptor
    self.limits = limits
    bytes = TLSBytes()
    session = try context.provided.makeSession(serverName: serverName, bytes: bytes)
    scratch = .of(core)
    receivesDirectly = session.receivesByItself && core.backend.capabilities.contains(.immediateReceives)
    let own = (receiving: IOOperation(.receiveLent, on: descriptor), sending: IOOperation(.send, on: descriptor))
    operations = own
    receiving = .passUnretained(own.receiving)
    sending = .passUnretained(own.sending)
    super.init()
    own.receiving.observer = .passUnretained(self)
    own.sending.observer = .passUnretained(self)
    setUpCallbacks()
    if !early.isEmpty { early.withUnsafeBytes { keep($0) } }
    LiveCounters.tlsLinks.add(1, ordering: .relaxed)
  }

  deinit {
    if case .kept(let buffer) = inputMemory { scratch.giveBack(buffer.base, capacity: buffer.capacity) }
    LiveCounters.tlsLinks.subtract(1, ordering: .relaxed)
  }

  // MARK: The user's operations

  override func submit(_ operation: IOOperation) -> Bool {
    core.assertLoopThread()
    assert(operation.state != .inFlight, "an operation in flight was submitted again")
    switch operation.kind {
    case .receive, .receiveLent: return read(operation)
    case .send: return write(operation)
    case .flush: return flush(operation)
    case .ready: return awaitHandshake(operation)
    default:
      // The others are not for connections that carry a stream, or ask the system for what it does not know.
      return finish(operation, -Int(Errno.notSupported.rawValue))
    }
  }

  /// End an operation at once.
  func finish(_ operation: IOOperation, _ result: Int) -> Bool {
    operation.end(result)
    return true
  }

  /// Let an operation wait in one of the places for them.
  @inline(__always)
  static func park(_ operation: IOOperation, in place: inout Unmanaged<IOOperation>?) -> Bool {
    precondition(place == nil, "two operations wait for one direction of a connection")
    place = .passUnretained(operation)
    operation.state = .inFlight
    return false
  }

  /// Take an operation out of its place, to end it.
  @inline(__always)
  static func take(_ place: inout Unmanaged<IOOperation>?) -> Unmanaged<IOOperation>? {
    defer { place = nil }
    return place
  }

  override func cancel(_ operation: IOOperation) {
    core.assertLoopThread()
    if operation.isParked(in: reader) {
      reader = nil
    } else if operation.isParked(in: writer) {
      writer = nil
    } else if operation.isParked(in: opener) {
      opener = nil
    } else {
      return
    }
    operation.complete(-Int(Errno.canceled.rawValue))
  }

  /// End what waits.
  func endAll(_ result: Int) {
    Self.take(&opener)?.complete(result)
    Self.take(&reader)?.complete(result)
    Self.take(&writer)?.complete(result)
  }

  override func claimLent(_ operation: IOOperation) -> Bool {
    core.assertLoopThread()
    return claim(operation)
  }

  // Perhaps after the close of the loop, in any thread.
  override func returnLent(_ operation: IOOperation) {
    guard let buffer = operation.buffer else { return }
    operation.buffer = nil
    scratch.giveBack(buffer, capacity: operation.count)
  }

  override func trySend(_ bytes: UnsafeRawBufferPointer) -> Int {
    core.assertLoopThread()
    return writeNow(bytes)
  }

  override var hasUnsent: Bool { !outgoing.isEmpty || core.backend.hasUnsent(descriptor) }

  override func endWriting() throws(Errno) {
    core.assertLoopThread()
    if life.endWriting() == .now { sayGoodbye() }
  }

  override var failure: (any Error)? { life.failure }

  override func takesOverClose() -> Bool {
    core.assertLoopThread()
    return beginLingering()
  }

  // MARK: The link's own operations

  override func operationEnded(_ operation: IOOperation) {
    let held = Unmanaged.passRetained(self)
    defer { held.release() }
    if operation.isParked(in: receiving) { received(operation.result) } else { sent(operation) }
  }

  /// Note a failure of the protection: everything that waits and everything that follows gets it.
  func fail(_ error: TLSError) {
    if error.code == .truncated, life.sendError < 0 {
      // It gave no reason: what became of the sends says more than the end of a stream that was cut off.
      life.loseInput(life.sendError)
      return endLost()
    }
    guard life.fail(error) else { return }
    stopLimit()
    endAll(TLSLife.failed)
  }

  /// End what waits for a socket that is lost.
  func endLost() {
    assert(life.isLost, "the socket is not lost")
    stopLimit()
    endAll(life.writeError)
  }

  var core: BaseEventLoop { loop._withUnsafeGuaranteedRef { $0 } }

  /// Use the backend. On the path of a message, where a load of ``core`` would count a reference.
  @inline(__always)
  func withBackend<Result>(_ body: (any IOBackend) -> Result) -> Result {
    loop._withUnsafeGuaranteedRef { body($0.backend) }
  }

  /// Let the session work, and send what it has written before anything else happens.
  @inline(__always)
  func withSession<Result>(_ body: (any TLSSession) throws(TLSError) -> Result) throws(TLSError) -> Result {
    scratch.lend(to: bytes)
    defer { sendOutput() }
    return try body(session)
  }

  // MARK: The end

  override func numberWasClosed() {
    if life.phase != .gone { life.finish() }
    // A closed loop has dropped its timers.
    if !core.isClosed { stopLimit() }
    releaseIfIdle()
  }

  /// Break the circle with the descriptor when the backend knows neither operation any more.
  func releaseIfIdle() {
    assert(life.phase == .gone, "a link that is not gone was taken apart")
    guard let operations, operations.receiving.state != .inFlight, operations.sending.state != .inFlight else { return }
    returnInput()
    outgoing.removeAll()
    self.operations = nil
  }
}

extension Unmanaged<IOOperation> {
  /// Complete the operation.
  @inline(__always)
  func complete(_ result: Int) { _withUnsafeGuaranteedRef { $0.complete(result) } }

  /// True if its completion is to come.
  @inline(__always)
  var isInFlight: Bool { _withUnsafeGuaranteedRef { $0.state == .inFlight } }
}
