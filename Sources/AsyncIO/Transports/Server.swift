internal import CAsyncIO

/// Listening sockets of a loop that give every client its own transport and protocol. Made by
/// `createServer`. Answers asyncio's `Server`.
///
/// While the server serves, its loop holds it: you need not keep it. It knows its transports but does not hold them, so
/// that one that the program drops without closing is reported.
///
/// **Threads.** ``close()`` and ``addresses`` from any thread, the rest in the loop's: in other threads, calls that can
/// throw throw code `wrongThread`, the others stop the program. That is what makes the unchecked conformance right.
public final class Server: @unchecked Sendable {
  let core: BaseEventLoop
  private let listening: ListeningSockets
  private let acceptor: ServerAcceptor
  private let resident = ServerResident()
  /// The transports, by the order in which they came.
  private var members: [UInt64: TransportMembership] = [:]
  private var arrivals: UInt64 = 0
  private var hasStarted = false
  private var isServedForEver = false
  /// The tasks that wait for the close; and those that also wait for the last client.
  private let closeWaiters = LoopWaiters()
  private let endWaiters = LoopWaiters()

  /// - Parameter welcome: gives an accepted socket to a new transport; the socket is closed if it throws.
  init(
    _ listening: ListeningSockets, retryDelay: Duration = .seconds(1),
    _ welcome: @escaping (Int32) throws -> StreamTransport
  ) {
    self.listening = listening
    core = listening.core
    acceptor = ServerAcceptor(listening, retryDelay: retryDelay, welcome)
    resident.server = self
    acceptor.server = self
    core.residents[ObjectIdentifier(resident)] = resident
  }

  deinit {
    listening.close()
    core.perform { [resident] in $0.residents[ObjectIdentifier(resident)] = nil }
  }

  // MARK: State

  /// The event loop of the server. Any thread.
  public var loop: any EventLoop { core }

  /// The addresses it listens on, ports filled in; they stay known after the close. Any thread.
  public var addresses: [SocketAddress] { listening.addresses }

  /// The listening sockets; empty after the close. Answers `sockets`.
  public var sockets: [TransportSocket] {
    requireThread("sockets")
    return isClosed ? [] : listening.descriptors.map { TransportSocket($0) }
  }

  /// True while clients are accepted. Answers `is_serving`.
  public var isServing: Bool {
    requireThread("isServing")
    return hasStarted && !isClosed
  }

  private var isClosed: Bool { listening.isClosed }

  private func requireThread(_ operation: String) {
    precondition(
      core.isLoopThread,
      "\(operation): a server belongs to its loop's thread. Use callSoonThreadsafe.")
  }

  private func checkThread(_ operation: String) throws(EventLoopError) {
    if core.isClosed { throw .closed(operation) }
    guard core.isRunningInThisThread else { throw .wrongThread(operation) }
  }

  private func checkOpen(_ operation: String) throws(EventLoopError) {
    guard isClosed else { return }
    throw EventLoopError(.invalidState, "\(operation): the server is closed. Make a new one with createServer.")
  }

  // MARK: Serving

  /// Accept clients, if `createServer` was told not to. Idempotent. Throws code `invalidState` for a closed server;
  /// ``IOError``. Answers `start_serving`.
  public func startServing() async throws {
    try await checkpoint()
    try start("startServing")
    try await sleep(for: .zero)
  }

  func start(_ operation: String) throws {
    try checkThread(operation)
    try checkOpen(operation)
    guard !hasStarted else { return }
    try listening.listen(operation)
    hasStarted = true
    // Its loop holds it from here to its close.
    resident.holds = self
    for accepting in listening.accepting { acceptor.start(accepting) }
  }

  /// Accept clients until the server is closed, then return. If the task is cancelled, the server is closed, its
  /// clients are waited for, and `CancellationError` is thrown. Throws code `busy` if another task is already doing
  /// this, `invalidState` for a closed server. Answers `serve_forever`.
  public func serveForever() async throws {
    try checkThread("serveForever")
    guard !isServedForEver else {
      throw EventLoopError(.busy, "serveForever: another task awaits it already. Await it once.")
    }
    try start("serveForever")
    isServedForEver = true
    defer { isServedForEver = false }
    await closeWaiters.wait(on: core) { isClosed }
    if core.isClosed { throw EventLoopError.closed("serveForever") }
    guard Task.isCancelled else { return }
    close()
    // The task stays cancelled, so this wait cannot be cancelled; clients end when they want to, or by close() and
    // abort().
    await endWaiters.waitToTheEnd { hasEnded }
    throw CancellationError()
  }

  // MARK: Ending

  /// Stop listening, for good; the file of a Unix socket is removed. Connected clients stay. Idempotent, any thread.
  /// Answers `close`.
  public func close() {
    guard core.isRunningInThisThread || !core.isRunning else { return core.perform { _ in self.close() } }
    guard !isClosed else { return }
    listening.close()
    acceptor.stopPauses()
    closeWaiters.resumeAll()
    resumeIfEnded()
    // Last, because it may be the only reference.
    resident.holds = nil
  }

  /// Return when the server is closed and its last transport has ended. Throws `CancellationError`. Answers
  /// `wait_closed`.
  public func waitClosed() async throws {
    try await checkpoint()
    try checkThread("waitClosed")
    await endWaiters.wait(on: core) { hasEnded }
    if core.isClosed { throw EventLoopError.closed("waitClosed") }
    if hasEnded { return }
    try Task.checkCancellation()
  }

  /// Close the transport of every client, in the order in which they came: what waits to be sent is sent. Answers
  /// `close_clients`.
  public func closeClients() {
    requireThread("closeClients")
    for transport in clients { transport.close() }
  }

  /// Abort the transport of every client, in the order in which they came: what waits to be sent is dropped. Answers
  /// `abort_clients`.
  public func abortClients() {
    requireThread("abortClients")
    for transport in clients { transport.abort() }
  }

  /// In the order in which they came: the order of a dictionary differs from run to run.
  private var clients: [BaseTransport] { members.sorted { $0.key < $1.key }.compactMap(\.value.transport) }

  fileprivate var clientCount: Int { members.count }

  fileprivate func countBytes(into total: inout TransferredBytes) {
    for member in members.values {
      guard let transport = member.transport as? StreamTransport, !transport.descriptor.isClosed else { continue }
      core.countBytes(of: transport.descriptor, into: &total)
    }
  }

  private var hasEnded: Bool { isClosed && members.isEmpty }

  private func resumeIfEnded() {
    if hasEnded { endWaiters.resumeAll() }
  }

  /// Attach a client; the server knows of it until its transport has ended or was dropped.
  fileprivate func attach(_ transport: StreamTransport) {
    let member = transport.membership
    arrivals += 1
    members[arrivals] = member
    member.whenEnded = { [weak self, arrivals] in self?.leave(arrivals) }
  }

  private func leave(_ number: UInt64) {
    members[number] = nil
    resumeIfEnded()
  }

  /// Release the waiters as the loop closes.
  fileprivate func loopDidClose() {
    listening.close()
    closeWaiters.resumeAll()
    endWaiters.resumeAll()
    resident.holds = nil
  }
}

/// Holds a server while it serves, and ends it with its loop.
private final class ServerResident: LoopResident, @unchecked Sendable {
  // Unchecked as the base class is.
  weak var server: Server?
  var holds: Server?

  override func loopDidClose() { server?.loopDidClose() }
}

/// Accepts clients for a server. It holds itself while one of its operations is under way.
private final class ServerAcceptor: Acceptor {
  weak var server: Server?
  private let welcome: (Int32) throws -> StreamTransport
  /// The scoped policy that the factory sees, and with it the protocols.
  private let scope = CarriedScope.ofCaller
  private var itself: ServerAcceptor?
  private var running = 0

  init(_ listening: ListeningSockets, retryDelay: Duration, _ welcome: @escaping (Int32) throws -> StreamTransport) {
    self.welcome = welcome
    super.init(listening, retryDelay: retryDelay)
  }

  func start(_ operation: IOOperation) {
    running += 1
    itself = self
    begin(operation)
  }

  override func ended(_ operation: IOOperation) {
    super.ended(operation)
    running -= 1
    if running == 0 { itself = nil }
  }

  override var connectionCount: Int { server?.clientCount ?? 0 }

  override func countBytes(into total: inout TransferredBytes) { server?.countBytes(into: &total) }

  override func accepted(_ fd: Int32) {
    guard let server else {
      core.sockets.close(fd)
      return
    }
    do {
      server.attach(try CarriedScope.enter(scope) { try welcome(fd) })
    } catch {
      let names = socketText(fd, core.sockets.localAddress(of: fd), core.sockets.peerAddress(of: fd))
      core.sockets.close(fd)
      var context = ExceptionContext(
        message: "exception in the protocol factory of a server; the client is disconnected", exception: error)
      context.socket = names
      core.reportOrRaise(context)
    }
  }
}

extension Server: CustomStringConvertible {
  /// How logs show it: "Server 127.0.0.1:7000 (descriptor 5)", with all its addresses. Any thread.
  public var description: String { "Server \(listening)" }
}
