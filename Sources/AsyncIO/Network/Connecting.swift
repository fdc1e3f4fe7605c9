internal import CAsyncIO
internal import SystemPackage

// Drives a race with operations and one timer, and no task but the one that waits. The traps:
//
// - An operation may end inside its own submit or cancel. So the actions of the race are queued, and the call that is
//   already processing the queue takes them.
// - Operations and descriptors stay until the race is over: they must not be freed inside their own completion.
// - The address must stay in place until its operation has ended, which may be after the cancel. So the race is over,
//   and the task that awaits it goes on, only when every operation has ended.
// - A loop that closes ends all operations. Nothing may begin on it then.

/// One race in progress. Loop thread only, except for its making and the reading of its outcome, which come before and
/// after; that is what makes the unchecked conformance right.
final class Connecting: OperationObserver, @unchecked Sendable {
  private let core: BaseEventLoop
  private let addresses: [AddressInfo]
  private let locals: [AddressInfo]?
  private let delay: Duration?
  private let sockets: any SocketCalls
  private var race: ConnectRace
  private var attempts: [ConnectAttempt?]
  private var failures: [(attempt: Int, error: IOError)] = []
  private var outcome: ConnectRace.Outcome?
  private var continuation: UnsafeContinuation<Void, Never>?
  private var queue: [ConnectRace.Action] = []
  private var isAtWork = false
  /// The timer and the race refer to each other while the timer is set.
  private var stagger: Stagger?

  /// - Parameters:
  ///   - locals: the addresses to connect from; nil leaves it to the system.
  ///   - delay: how long to wait before racing the next address; nil: one at a time.
  init(_ addresses: [AddressInfo], from locals: [AddressInfo]?, delay: Duration?, on core: BaseEventLoop) {
    self.core = core
    self.addresses = addresses
    self.locals = locals
    self.delay = delay
    sockets = core.sockets.ofCaller
    race = ConnectRace(count: addresses.count, isStaggered: delay != nil)
    attempts = Array(repeating: nil, count: addresses.count)
  }

  /// Run the race. Returns the connected descriptor, or every failure in the order of the attempts. Throws
  /// `CancellationError`, code `closed`.
  func run(isolation: isolated (any Actor)? = #isolation) async throws -> Result<IODescriptor, ConnectFailures> {
    await suspendCancellably { (continuation: UnsafeContinuation<Void, Never>) in
      core.perform { _ in
        self.continuation = continuation
        self.act(self.race.begin())
      } dropped: { [self] in
        self.continuation = continuation
        finish(.cancelled)
      }
    } onCancel: {
      core.perform { _ in self.act(self.race.cancel()) }
    }
    casyncio_lock_taken(Unmanaged.passUnretained(self).toOpaque())
    switch outcome {
    case .connected(let index)?: return .success(attempts[index]!.descriptor)
    case .failed?:
      return .failure(ConnectFailures(errors: failures.sorted { $0.attempt < $1.attempt }.map(\.error)))
    case .cancelled?, nil:
      if Task.isCancelled { throw CancellationError() }
      throw EventLoopError.closed("connect")
    }
  }

  // MARK: Events

  override func operationEnded(_ operation: IOOperation) {
    guard let index = attempts.firstIndex(where: { $0?.operation === operation }) else {
      preconditionFailure("an operation that belongs to no attempt ended")
    }
    operation.observer = nil
    // The waiting task may be in another thread, and release everything before this returns.
    withExtendedLifetime(self) { ended(index, operation.result) }
  }

  /// The delay after which the next attempt joins. When the loop closes its operations end, and the race with them.
  private final class Stagger: TimerNode {
    private let race: Connecting
    init(_ race: Connecting) { self.race = race }
    override var inspected: (what: String, task: UInt?) { ("the next attempt to connect", nil) }
    override func fire() {
      race.stagger = nil
      race.act(race.race.timerFired())
    }
    override func drop() { race.stagger = nil }
  }

  private func ended(_ index: Int, _ result: Int) {
    if result >= 0 { return act(race.succeeded(index)) }
    // The race did not ask for this: the loop ends what waits on it.
    if result == -Int(ECANCELED) { act(race.cancel()) }
    failed(index, IOError(result: result, "connect", "to \(addresses[index].address)"))
  }

  private func failed(_ index: Int, _ error: IOError) {
    if error.errno != .canceled { failures.append((index, error)) }
    act(race.failed(index))
  }

  // MARK: Actions

  private func act(_ actions: [ConnectRace.Action]) {
    core.assertLoopThread()
    queue += actions
    guard !isAtWork else { return }
    isAtWork = true
    defer { isAtWork = false }
    var done = 0
    while done < queue.count {
      perform(queue[done])
      done += 1
    }
    queue = []
  }

  private func perform(_ action: ConnectRace.Action) {
    switch action {
    case .start(let index): start(index)
    case .cancel(let index):
      if let operation = attempts[index]?.operation, operation.state == .inFlight { core.backend.cancel(operation) }
    case .close(let index): attempts[index]?.descriptor.close()
    case .setTimer:
      let deadline = core.time().advanced(by: delay ?? .zero)
      let stagger = Stagger(self)
      self.stagger = stagger
      core.timers.insert(LoopWord(stagger, .node), deadline: deadline.nanoseconds)
    case .cancelTimer:
      if let stagger { core.timers.remove(stagger) }
      stagger = nil
    case .finish(let outcome): finish(outcome)
    }
  }

  private func start(_ index: Int) {
    let attempt: ConnectAttempt
    do throws(IOError) {
      attempt = try ConnectAttempt(addresses[index], from: locals, sockets, on: core)
    } catch {
      return failed(index, error)
    }
    attempts[index] = attempt
    attempt.operation.observer = .passUnretained(self)
    if core.backend.submit(attempt.operation) { operationEnded(attempt.operation) }
  }

  private func finish(_ outcome: ConnectRace.Outcome) {
    assert(self.outcome == nil, "a race ended twice")
    self.outcome = outcome
    let waiter = continuation
    continuation = nil
    casyncio_lock_leaving(Unmanaged.passUnretained(self).toOpaque())
    waiter?.resume()
  }
}

/// What happened at each address, if all have failed.
struct ConnectFailures: Error {
  let errors: [IOError]
}

/// A socket on its way to one address, in the loop's care from the start.
private final class ConnectAttempt {
  let descriptor: IODescriptor
  let operation: IOOperation
  /// The operation's address, which lives as long as the operation uses it.
  private let address: UnsafeMutableRawBufferPointer

  init(
    _ info: AddressInfo, from locals: [AddressInfo]?, _ sockets: any SocketCalls, on core: BaseEventLoop
  ) throws(IOError) {
    let fd = try sockets.open(for: info)
    do throws(IOError) {
      if let locals { try Self.bind(fd, locals, for: info, sockets) }
    } catch {
      sockets.close(fd)
      throw error
    }
    if info.address.isIP { sockets.setNoDelay(fd) }
    descriptor = IODescriptor(fd, loop: core)
    descriptor.shortReadsDrain = info.isTCP
    core.backend.attach(descriptor)
    operation = IOOperation(.connect, on: descriptor)
    address = .allocate(byteCount: Int(info.address.length), alignment: 16)
    info.address.withSockaddr { pointer, length in
      address.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(length)))
    }
    operation.buffer = address.baseAddress
    operation.count = address.count
  }

  deinit { address.deallocate() }

  /// Bind the first local address of the family that can be bound.
  private static func bind(
    _ fd: Int32, _ locals: [AddressInfo], for info: AddressInfo, _ sockets: any SocketCalls
  ) throws(IOError) {
    var failure = IOError(
      .addressFamilyNotSupported, "bind",
      "\(locals.map(\.address.description).joined(separator: ", ")) to connect to \(info.address)")
    for local in locals where local.family == info.family {
      do throws(IOError) {
        return try sockets.bind(fd, to: local.address)
      } catch {
        failure = error
      }
    }
    throw failure
  }
}
