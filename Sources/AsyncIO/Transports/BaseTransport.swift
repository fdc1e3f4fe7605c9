internal import Logging

// What all transports have in common: whose thread they belong to, how their protocol is called, and how they begin
// and end.
//
// A transport and its protocol hold each other. What breaks the circle is the end: when the protocol has heard that
// the connection is lost, the transport closes its descriptor and forgets the protocol. A loop that is closed with
// transports left ends them without a call, because a closed loop calls nobody.

/// A connection as a protocol object sees it. Answers asyncio's `BaseTransport`.
///
/// **Threads.** A transport belongs to the thread of its loop (while nobody runs the loop, to whoever has the loop).
/// `close()` and `abort()` may be called from any thread; calls that can throw are refused elsewhere with code
/// `wrongThread`; the others are a programmer's error there and stop the program.
public class BaseTransport: CustomStringConvertible {
  final let core: BaseEventLoop
  /// What the callbacks see as their scoped policy.
  private final let scope: CarriedScope?
  final let membership: TransportMembership
  private final var currentProtocol: (any BaseProtocol)?
  /// Somebody has asked for the transport and has it not yet. Input begins when they have it.
  private final var isAwaited = false
  /// Who waits until the protocol knows the transport, and that it does.
  private final var isMade = false
  private final var waiter: UnsafeContinuation<Void, Never>?
  @exclusivity(unchecked) final var life = TransportLife()
  /// Its membership keeps it alive.
  @exclusivity(unchecked) private final var isKept = false
  /// Why ``BaseProtocol/connectionMade(_:)`` failed, for who asked for the connection.
  private(set) final var refusal: (any Error)?

  /// On the thread of the loop.
  init(core: BaseEventLoop) {
    self.core = core
    scope = CarriedScope.ofCaller
    membership = TransportMembership(core)
    core.residents[ObjectIdentifier(membership)] = membership
  }

  deinit { membership.leave() }

  // MARK: What subclasses say and do

  /// Sees what a protocol object can do. Throws code `invalidArgument` for one that does not fit this transport.
  func adopt(_ proto: any BaseProtocol) throws(EventLoopError) {}
  /// Forgets the protocol that was adopted. It may hold the transport, so a transport that has ended holds none.
  func disown() {}
  /// Tells the protocol that it has a transport.
  func tellMade() throws { try currentProtocol?.connectionMade(self) }
  /// The protocol knows the transport: input may come.
  func begin() {}
  /// Stops input, drops output.
  func stop() {}
  /// Closes what the transport has. The protocol has heard of the end, or never will.
  func release() {}
  /// The protocol has thrown when it was told of the transport.
  func refused(_ error: any Error) { fail(error) }
  /// Closes the transport, which is in its own thread and was not closed before.
  func closeHere() { if life.close(hasOutput: false) { finish(nil) } }
  /// Gives the transport up, for instance after an error.
  final func fail(_ error: (any Error)?) {
    guard life.fail() else { return }
    stop()
    finish(error)
  }
  /// Keeps itself alive while the backend knows an operation of it.
  func settle() { keep(false) }
  /// Leaves the descriptor open if it is the caller's until the protocol knows the transport.
  func giveBack() -> Bool { false }
  /// What `getExtraInfo` has under a name.
  func extraInfo(_ name: String) -> Any? { nil }
  /// What reports have as its socket; nil for one without addresses.
  var socketNames: String? { nil }
  /// In one line, for reports.
  public var description: String { "\(type(of: self))" }

  // MARK: State

  /// The event loop it belongs to. Any thread.
  public final var loop: any EventLoop { core }

  /// True once it is closed, aborted or lost. Answers `is_closing`.
  public final var isClosing: Bool {
    requireThread("isClosing")
    return life.isClosing
  }

  /// What is known about the connection; `nil` if it is not. Answers `get_extra_info`.
  public final func getExtraInfo<Value>(_ key: ExtraInfoKey<Value>) -> Value? {
    requireThread("getExtraInfo")
    return extraInfo(key.name) as? Value
  }

  /// The protocol object; `nil` when the connection is lost. Throws code `wrongThread` off the loop's thread. Answers
  /// `get_protocol`.
  public final func getProtocol() throws(EventLoopError) -> (any BaseProtocol)? {
    try checkThread("getProtocol")
    return currentProtocol
  }

  /// Lets another protocol object have everything from the next call on. It is not told of the connection being made.
  /// Throws code `wrongThread` off the loop's thread, `invalidArgument` for a protocol of a kind that the transport
  /// cannot serve. Answers `set_protocol`.
  public final func setProtocol(_ proto: any BaseProtocol) throws(EventLoopError) {
    try checkThread("setProtocol")
    try adopt(proto)
    if life.phase == .gone { disown() } else { currentProtocol = proto }
  }

  /// Stops reading, sends what waits and what is written meanwhile (by `resumeWriting`, for instance), and then tells the
  /// protocol that the connection is over; never inside the call.
  /// Idempotent, any thread. Answers `close`.
  public final func close() {
    guard !isElsewhere else { return post { $0.close() } }
    if !life.isClosing { closeHere() }
  }

  /// Drops what waits to be sent and tells the protocol in the next turn. The peer of a TCP socket sees a reset.
  /// Idempotent, any thread. Answers `abort`.
  public final func abort() {
    guard !isElsewhere else { return post { $0.abort() } }
    abortHere()
  }

  /// Ends it the hard way, in its own thread.
  func abortHere() { fail(nil) }

  // MARK: Threads

  private final var isElsewhere: Bool { !core.isRunningInThisThread && core.isRunning }

  /// Refuses a call from a thread that the transport does not belong to.
  @inline(__always)
  final func checkThread(_ operation: String) throws(EventLoopError) {
    if core.isRunningInThisThread { return }
    if core.isRunning { throw .wrongThread(operation) }
  }

  /// The same for calls that cannot throw.
  final func requireThread(_ operation: String) {
    precondition(!isElsewhere, "\(operation): a transport belongs to its loop's thread. Use callSoonThreadsafe.")
  }

  private final func post(_ body: @escaping @Sendable (BaseTransport) -> Void) {
    nonisolated(unsafe) let transport = self  // used in its own thread only
    core.perform { _ in body(transport) }
  }

  /// Runs the body in the next turn, in the loop's thread.
  final func callNextTurn(_ body: @escaping (BaseTransport) throws -> Void) {
    nonisolated(unsafe) let (transport, body) = (self, body)  // used in its own thread only
    let handle = Handle(loop: core, site: CallSite()) { try body(transport) }
    if core.isRunningInThisThread { core.pushReady(handle) } else { _ = core.intake.post(handle, .handle) }
  }

  // MARK: Calling the protocol

  /// Runs a callback in the scoped policy in which the transport was made.
  @inline(__always)
  final func inScope<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let scope, CarriedScope.current !== scope else { return try body() }
    return try CarriedScope.$current.withValue(scope) { try body() }
  }

  /// Calls back; an error is reported. `false`: there was one.
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

  /// An error that ends the run leaves the loop; others go to its exception handler.
  final func report(_ message: String, _ error: any Error) {
    var context = ExceptionContext(message: message, exception: error)
    context.transport = description
    context.socket = socketNames
    context.protocol = currentProtocol.map { "\(type(of: ($0 as? any StandIn)?.principal ?? $0))" }
    core.reportOrRaise(context)
  }

  /// Asks the protocol to pause or to go on.
  final func act(on action: WriteFlow.Action) {
    switch action {
    case .nothing: break
    case .pause: call("pauseWriting") { try currentProtocol?.pauseWriting() }
    case .resume: call("resumeWriting") { try currentProtocol?.resumeWriting() }
    }
  }

  // MARK: Beginning and ending

  /// Queues that the protocol is told of its transport. Then input begins.
  ///
  /// - Parameter isAwaited: input begins with ``handOver()`` instead. Until then nothing is delivered, whatever is
  ///   paused and resumed.
  final func start(_ proto: any BaseProtocol, isAwaited: Bool = false) throws(EventLoopError) {
    try adopt(proto)
    currentProtocol = proto
    self.isAwaited = isAwaited
    keep(true)
    callNextTurn { $0.makeNow() }
  }

  private final func makeNow() {
    do {
      try inScope { try tellMade() }
      if !isAwaited { open() }
    } catch {
      report("exception in connectionMade of a protocol; the connection is closed", error)
      refusal = error
      refused(error)
    }
    // One that is awaited stays at work until it is handed over.
    if !isAwaited { settle() }
    resumeWaiter()
  }

  private final func open() {
    guard life.phase == .new else { return }
    life.made()
    begin()
  }

  /// Whoever has asked for the transport has it: input begins. What is there already comes in the next turn.
  final func handOver() {
    isAwaited = false
    open()
    settle()
  }

  /// Returns when the protocol knows the transport, and begins the input of one that was started as awaited. In the task
  /// that has asked for it, which goes on without a turn between: so what it sets up then is there for the first bytes,
  /// however busy the loop is. One task at most.
  ///
  /// Throws code `closed` if the loop was closed meanwhile, `CancellationError`, and then the transport is closed; what
  /// ``BaseProtocol/connectionMade(_:)`` has thrown.
  final func made(_ operation: String) async throws {
    await withUnsafeContinuation { continuation in
      if isMade { continuation.resume() } else { waiter = continuation }
    }
    if core.isClosed { throw EventLoopError.closed(operation) }
    if Task.isCancelled {
      close()
      throw CancellationError()
    }
    if let refusal { throw refusal }
    handOver()
  }

  private final func resumeWaiter() {
    isMade = true
    let continuation = waiter
    waiter = nil
    continuation?.resume()
  }

  /// Queues the end: the protocol is told, then the descriptor is closed, then the protocol is forgotten, then whoever
  /// counts transports hears of it.
  final func finish(_ error: (any Error)?) {
    callNextTurn { transport in
      guard transport.life.phase != .gone else { return }
      transport.call("connectionLost") { try transport.currentProtocol?.connectionLost(error) }
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

  /// Stays alive while it is busy, and from a loss on until the protocol has heard of it.
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

  /// The loop closes: nobody is called any more.
  final func loopDidClose() {
    let isGivenBack = life.phase == .new && giveBack()
    if !life.isClosing && !isGivenBack { warnOfDrop("its loop was closed") }
    stop()
    end()
    resumeWaiter()
  }

  /// Says that nobody closed the transport.
  final func warnOfDrop(_ reason: String) {
    core.logger.warning("\(description) was not closed: \(reason); its descriptor is closed now")
  }
}
