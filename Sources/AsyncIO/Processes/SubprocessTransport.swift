internal import CAsyncIO

/// A child process for a protocol object. Answers asyncio's `SubprocessTransport`.
///
/// It lives until the child has exited and its pipes are closed, even if the program has forgotten it.
/// ``BaseTransport/close()`` and ``BaseTransport/abort()`` kill a child that still runs, with SIGKILL, and close the
/// pipes.
///
/// **Threads.** See ``BaseTransport``.
public final class SubprocessTransport: BaseTransport {
  let watch: ChildWatch
  private var proto: (any SubprocessProtocol)?
  /// The pipes by the child's descriptors; nil where there is no pipe.
  private var pipes: [PipeTransport?] = [nil, nil, nil]
  private var openPipes = 0
  private var hasExited = false
  /// The reason of the loss that the protocol is told.
  private var loss: (any Error)?

  init(_ child: SpawnedChild, core: BaseEventLoop) {
    watch = ChildWatch(child, on: core)
    super.init(core: core)
  }

  deinit { watch.kill() }

  override var summary: String {
    let state = watch.status.map { "\($0)" } ?? "running"
    return "SubprocessTransport (process \(watch.process), \(state))"
  }

  // MARK: The child

  /// The system's number of the child. Answers `get_pid`.
  public var processIdentifier: Int32 { watch.process }

  /// How the child ended; nil while it runs.
  public var terminationStatus: TerminationStatus? { watch.status }

  /// The exit status, or minus the number of the signal that ended the child; nil while it runs. Answers
  /// `get_returncode`.
  public var returnCode: Int32? { watch.status?.returnCode }

  /// Return the transport of a pipe of the child: a ``WritePipeTransport`` for 0, a ``ReadPipeTransport`` for 1 and 2;
  /// nil if there is no pipe. It stays when the pipe is closed. Answers `get_pipe_transport`.
  public func getPipeTransport(_ fileDescriptor: Int32) -> PipeTransport? {
    requireThread("getPipeTransport")
    return pipes.indices.contains(Int(fileDescriptor)) ? pipes[Int(fileDescriptor)] : nil
  }

  /// Send a signal. Returns `false` if the child has ended. See ``ChildProcess/sendSignal(_:)``. Answers `send_signal`.
  @discardableResult
  public func sendSignal(_ signal: Int32) throws -> Bool { try watch.send(signal) }
  /// Ask the child to end, by SIGTERM. See ``ChildProcess/sendSignal(_:)``.
  @discardableResult
  public func terminate() throws -> Bool { try sendSignal(SIGTERM) }
  /// End the child by SIGKILL. See ``ChildProcess/sendSignal(_:)``.
  @discardableResult
  public func kill() throws -> Bool { try sendSignal(SIGKILL) }

  // MARK: The transport

  override func extraInfo(_ name: String) -> Any? { name == "subprocess" ? watch.process : nil }

  override func adopt(_ proto: any BaseProtocol) throws(EventLoopError) {
    guard let proto = proto as? any SubprocessProtocol else {
      throw EventLoopError(
        .invalidArgument, "\(type(of: proto)) cannot watch a child process. Conform it to SubprocessProtocol.")
    }
    self.proto = proto
  }

  override func tellMade() throws { try proto?.connectionMade(self) }

  /// The caller that asked for the child has it: the protocol is told of the pipes' data and the exit from the next
  /// turn on.
  override func begin() {
    for case let pipe? in pipes { pipe.handOver() }
    tellExitNextTurn()
  }

  /// It is not over before the child is.
  override func closeHere() {
    guard !life.isClosing else { return }
    _ = life.close(hasOutput: true)
    stop()
    tellExitNextTurn()
    tryFinish()
  }

  override func abortHere() { closeHere() }

  /// Kill a child that the protocol refuses. The protocol is still told of the end, in the usual order.
  override func refused(_ error: any Error) {
    loss = error
    closeHere()
  }

  override func stop() {
    watch.kill()
    // A child that is killed will not read the rest of its input.
    for case let pipe? in pipes { pipe.abort() }
  }

  override func release() { pipes = [nil, nil, nil] }

  override func disown() { proto = nil }

  // MARK: What happens to the child

  /// Give the pipes their transports. An end that was taken is -1 afterwards; if this throws, some may not be.
  func connectPipes(_ ends: inout [Int32]) throws {
    for (number, end) in ends.enumerated() where end >= 0 {
      pipes[number] =
        number == 0 ? try WritePipeTransport(end, core: core) : try ReadPipeTransport(end, core: core)
      ends[number] = -1
      openPipes += 1
    }
  }

  /// Tell the protocol of the child first, and then of its pipes and its end.
  func startAll(_ proto: any SubprocessProtocol) throws {
    try start(proto, isAwaited: true)
    for case (let number, let pipe?) in pipes.enumerated() {
      try pipe.start(ChildPipe(Int32(number), of: self), isAwaited: true)
    }
    nonisolated(unsafe) let transport = self  // in its own thread again in the next turn
    watch.whenEnded { transport.callNextTurn { ($0 as? SubprocessTransport)?.exited() } }
  }

  /// Tell the protocol of an exit that came before the caller had the transport.
  private func tellExitNextTurn() {
    if watch.status != nil { callNextTurn { ($0 as? SubprocessTransport)?.exited() } }
  }

  private func exited() {
    guard life.phase != .new, life.phase != .gone, !hasExited, watch.status != nil else { return }
    hasExited = true
    call("processExited") { try proto?.processExited() }
    tryFinish()
  }

  fileprivate func received(_ number: Int32, _ bytes: RawSpan) throws {
    try proto?.pipeDataReceived(number, bytes)
  }

  /// The protocol: what the pipes bring goes to the current one.
  fileprivate var principal: (any SubprocessProtocol)? { proto }

  fileprivate func lost(_ number: Int32, _ error: (any Error)?) {
    guard life.phase != .gone else { return }
    openPipes -= 1
    call("pipeConnectionLost") { try proto?.pipeConnectionLost(number, error) }
    tryFinish()
  }

  /// Finish when the child has exited and nothing can come by its pipes any more.
  private func tryFinish() {
    if hasExited && openPipes == 0 { fail(loss) }
  }
}

/// Stands between a pipe of a child and the protocol object of all its pipes.
private final class ChildPipe: StreamProtocol, StandIn {
  private let number: Int32
  private let process: SubprocessTransport

  init(_ number: Int32, of process: SubprocessTransport) {
    self.number = number
    self.process = process
  }

  var principal: (any BaseProtocol)? { process.principal }

  func dataReceived(_ bytes: RawSpan) throws { try process.received(number, bytes) }
  func pauseWriting() throws { try process.principal?.pauseWriting() }
  func resumeWriting() throws { try process.principal?.resumeWriting() }
  func connectionLost(_ error: (any Error)?) throws { process.lost(number, error) }
}

extension ExtraInfoKey where Value == Int32 {
  /// The number of the child of a subprocess transport.
  public static var subprocess: ExtraInfoKey { ExtraInfoKey("subprocess") }
}
