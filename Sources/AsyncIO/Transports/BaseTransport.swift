internal import Logging

// What all transports have in common: which thread they belong to, how their protocol is called, and how they begin and
// end.
//
// A transport and its protocol hold each other. The end breaks the circle: when the protocol has been told that the
// connection is lost, the transport closes its descriptor and forgets the protocol. A loop that is closed with
// transports left ends them without a call, because a closed loop calls nothing.

/// A connection as a protocol object sees it. Answers asyncio's `BaseTransport`.
///
/// **Threads.** A transport belongs to the thread of its loop; while the loop does not run, to the thread that uses the
/// loop. `close()` and `abort()` may be called from any thread. In other threads, calls that can throw throw code
/// `wrongThread`; the others are a programming error there and stop the program.
public class BaseTransport: CustomStringConvertible {
  final let core: BaseEventLoop
  /// The scoped policy that the callbacks see.
  private final let scope: CarriedScope?
  final let membership: TransportMembership
  private final var currentProtocol: (any BaseProtocol)?
  /// True if a caller has asked for the transport and does not have it yet. Input begins when it does.
  private final var isAwaited = false
  /// The task that waits until the protocol knows the transport; and whether it does.
  private final var isMade = false
  private final var waiter: UnsafeContinuation<Void, Never>?
  @exclusivity(unchecked) final var life = TransportLife()
  /// When the protocol is asked to pause and to go on, of a transport that writes.
  @exclusivity(unchecked) final var flow = WriteFlow()
  /// True while `membership` holds a strong reference to this transport.
  @exclusivity(unchecked) private final var isKept = false
  /// Why ``BaseProtocol/connectionMade(_:)`` failed, for the caller that asked for the connection.
  private(set) final var refusal: (any Error)?

  /// Create a transport, on the thread of the loop.
  init(core: BaseEventLoop) {
    self.core = core
    scope = CarriedScope.ofCaller
    membership = TransportMembership(core)
    core.residents[ObjectIdentifier(membership)] = membership
  }

  deinit { membership.leave() }

  // MARK: What subclasses say and do

  /// Check what a protocol object can do. Throws code `invalidArgument` for one that does not fit this transport.
  func adopt(_ proto: any BaseProtocol) throws(EventLoopError) {}
  /// Forget the protocol that was adopted. It may hold the transport, so a transport that has ended holds none.
  func disown() {}
  /// Tell the protocol that it has a transport.
  func tellMade() throws { try currentProtocol?.connectionMade(self) }
  /// Let input come: the protocol knows the transport.
  func begin() {}
  /// Stop input, drop output.
  func stop() {}
  /// Close what the transport has. The protocol has heard of the end, or never will.
  func release() {}
  /// Handle an error that the protocol threw when it was told of the transport.
  func refused(_ error: any Error) { fail(error) }
  /// Close the transport, which is in its own thread and was not closed before.
  func closeHere() { if life.close(hasOutput: false) { finish(nil) } }
  /// Give the transport up, for instance after an error.
  final func fail(_ error: (any Error)?) {
    guard life.fail() else { return }
    stop()
    finish(error)
  }
  /// Keep the transport alive while the backend knows an operation of it.
  func settle() { keep(false) }
  /// Leave the descriptor open if it is the caller's until the protocol knows the transport.
  func giveBack() -> Bool { false }
  /// Return what `getExtraInfo` has under a name.
  func extraInfo(_ name: String) -> Any? { nil }
  /// The transport's socket in reports; nil for one without addresses.
  var socketNames: String? { nil }
  /// The number, addresses and state, in one line.
  var summary: String { "\(type(of: self))" }
  /// The size of what waits to be sent, as the limits of flow control count it.
  var waitingSize: Int { 0 }

  // MARK: State

  /// How logs show it: the number, addresses and state, in one line.
  public final var description: String { summary }

  /// The event loop of the transport. Any thread.
  public final var loop: any EventLoop { core }

  /// True once it is closed, aborted or lost. Answers `is_closing`.
  public final var isClosing: Bool {
    requireThread("isClosing")
    return life.isClosing
  }

  /// Return what is known about the connection; `nil` if it is not known. Answers `get_extra_info`.
  public final func getExtraInfo<Value>(_ key: ExtraInfoKey<Value>) -> Value? {
    requireThread("getExtraInfo")
    return extraInfo(key.name) as? Value
  }

  /// Return the protocol object; `nil` when the connection is lost. Throws code `wrongThread` off the loop's thread.
  /// Answers `get_protocol`.
  public final func getProtocol() throws(EventLoopError) -> (any BaseProtocol)? {
    try checkThread("getProtocol")
    return currentProtocol
  }

  /// Make another protocol object receive all calls from the next one on. It is not told of the connection being made.
  /// Throws code `wrongThread` off the loop's thread, `invalidArgument` for a kind of protocol that the transport
  /// cannot serve. Answers `set_protocol`.
  public final func setProtocol(_ proto: any BaseProtocol) throws(EventLoopError) {
    try checkThread("setProtocol")
    try adopt(proto)
    if life.phase == .gone { disown() } else { currentProtocol = proto }
  }

  /// Stop reading, send what waits and what is written meanwhile (for instance by `resumeWriting`), and then tell the
  /// protocol that the connection is over; never inside this call. Idempotent, any thread. Answers `close`.
  public final func close() {
    guard !isElsewhere else { return post { $0.close() } }
    if !life.isClosing { closeHere() }
  }

  /// Drop what waits to be sent, and tell the protocol in the next turn. The peer of a TCP socket sees a reset.
  /// Idempotent, any thread. Answers `abort`.
  public final func abort() {
    guard !isElsewhere else { return post { $0.abort() } }
    abortHere()
  }

  /// Abort the transport, in its own thread.
  func abortHere() { fail(nil) }

  // MARK: Threads

  private final var isElsewhere: Bool { !core.isLoopThread }

  /// Refuse a call from a thread that the transport does not belong to.
  @inline(__always)
  final func checkThread(_ operation: String) throws(EventLoopError) {
    if core.isRunningInThisThread { return }
    if core.isRunning { throw .wrongThread(operation) }
  }

  /// Do the same for calls that cannot throw.
  final func requireThread(_ operation: String) {
    precondition(!isElsewhere, "\(operation): a transport belongs to its loop's thread. Use callSoonThreadsafe.")
  }

  private final func post(_ body: @escaping @Sendable (BaseTransport) -> Void) {
    nonisolated(unsafe) let transport = self  // used in its own thread only
    core.perform { _ in body(transport) }
  }

  /// Run the body in the next turn, in the loop's thread.
  final func callNextTurn(_ body: @escaping (BaseTransport) throws -> Void) {
    nonisolated(unsafe) let (transport, body) = (self, body)  // used in its own thread only
    let handle = Handle(loop: core, site: CallSite()) { try body(transport) }
    if core.isRunningInThisThread { core.pushReady(handle) } else { _ = core.intake.post(handle, .handle) }
  }

  // MARK: Calling the protocol

  /// Run a callback in the scoped policy, and with the context, in which the transport was made.
  @inline(__always)
  final func inScope<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let scope, CarriedScope.current !== scope else { return try body() }
    return try scope.enter(body)
  }

  /// Call back, and report an error. Returns `false` if there was one.
  @discardableResult
  final func call(_ name: StaticString, _ body: () throws -> Void) -> Bool {
    do {
      try inScope(body)
      return true
    } catch {
      report("exception in \(name) of a protocol", error)
      return false
    }
  }

  /// Report an error to the loop's exception handler; an error that ends the run leaves the loop.
  final func report(_ message: String, _ error: any Error) {
    var context = ExceptionContext(message: message, exception: error)
    context.transport = description
    context.socket = socketNames
    context.protocol = currentProtocol.map { "\(type(of: ($0 as? any StandIn)?.principal ?? $0))" }
    core.reportOrRaise(context)
  }

  /// Ask the protocol to pause or to go on.
  final func act(on action: WriteFlow.Action) {
    switch action {
    case .nothing: break
    case .pause: call("pauseWriting") { try currentProtocol?.pauseWriting() }
    case .resume: call("resumeWriting") { try currentProtocol?.resumeWriting() }
    }
  }

  // MARK: Beginning and ending

  /// Queue the call that tells the protocol of its transport. Then input begins.
  ///
  /// - Parameter isAwaited: input begins with ``handOver()`` instead. Until then nothing is delivered, whatever is
  ///   paused and resumed.
  final func start(_ proto: any BaseProtocol, isAwaited: Bool = false) throws(EventLoopError) {
    try prepare(proto, isAwaited: isAwaited)
    makeNextTurn()
  }

  /// Give the transport its protocol, which does not hear of it yet.
  final func prepare(_ proto: any BaseProtocol, isAwaited: Bool = false) throws(EventLoopError) {
    try adopt(proto)
    currentProtocol = proto
    self.isAwaited = isAwaited
    keep(true)
  }

  /// Queue the call that tells the protocol of its transport.
  final func makeNextTurn() { callNextTurn { $0.makeNow() } }

  private final func makeNow() {
    do {
      try inScope { try tellMade() }
      if !isAwaited { open() }
    } catch {
      report("exception in connectionMade of a protocol; the connection is closed", error)
      refusal = error
      refused(error)
    }
    // A transport that is awaited is kept until it is handed over.
    if !isAwaited { settle() }
    resumeWaiter()
  }

  private final func open() {
    guard life.phase == .new else { return }
    life.made()
    begin()
  }

  /// Begin input: the caller that asked for the transport has it. Input that is already there comes in the next turn.
  final func handOver() {
    isAwaited = false
    open()
    settle()
  }

  /// Return when the protocol knows the transport, and begin the input of one that was started as awaited. The task
  /// that asked for the transport calls this and goes on without a turn between: what it sets up then is in place for
  /// the first bytes, however busy the loop is. One task at most.
  ///
  /// Throws code `closed` if the loop was closed meanwhile; `CancellationError`, and then the transport is closed; what
  /// ``BaseProtocol/connectionMade(_:)`` threw.
  final func made(_ operation: String) async throws {
    try await waitUntilMade(operation)
    handOver()
  }

  /// Do the same, and leave it to the caller to begin the input by ``handOver()``.
  final func waitUntilMade(_ operation: String) async throws {
    await withUnsafeContinuation { continuation in
      if isMade { continuation.resume() } else { waiter = continuation }
    }
    if core.isClosed { throw EventLoopError.closed(operation) }
    if Task.isCancelled {
      close()
      throw CancellationError()
    }
    if let refusal { throw refusal }
  }

  private final func resumeWaiter() {
    isMade = true
    let continuation = waiter
    waiter = nil
    continuation?.resume()
  }

  /// Queue the end: the protocol is told, then the descriptor is closed, then the protocol is forgotten, then the
  /// object that counts transports is told.
  final func finish(_ error: (any Error)?) {
    callNextTurn { transport in
      guard transport.life.phase != .gone else { return }
      // A protocol that was never told of the transport, whose handshake failed, is not told of its end.
      if transport.isMade { transport.call("connectionLost") { try transport.currentProtocol?.connectionLost(error) } }
      transport.end()
    }
  }

  private final func end() {
    guard life.finish() else { return }
    release()
    disown()
    currentProtocol = nil
    membership.leave()
    settle()
  }

  /// Keep the transport alive while it is busy, and from a loss until the protocol has been told of it.
  @inline(__always)
  final func keep(_ isBusy: Bool) {
    if isBusy != isKept { changeKeeping(isBusy) }
  }

  private final func changeKeeping(_ isBusy: Bool) {
    guard isBusy || life.phase != .ending else { return }
    isKept = isBusy
    if isBusy {
      membership.keep(self)
    } else if life.phase == .gone {
      membership.forget()
    } else {
      membership.rest()
    }
  }

  /// End the transport with its loop, without a call.
  final func loopDidClose() {
    let isGivenBack = life.phase == .new && giveBack()
    if !life.isClosing && !isGivenBack { warnOfDrop("its loop was closed") }
    stop()
    end()
    resumeWaiter()
  }

  /// Warn that the transport was not closed.
  final func warnOfDrop(_ reason: String) {
    core.logger.warning("\(description) was not closed: \(reason); its descriptor is closed now")
  }
}
