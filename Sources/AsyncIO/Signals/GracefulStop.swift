internal import CAsyncIO

// The traps of a graceful stop, as far as `StopState` does not have them:
//
// - Two listeners of one loop may stop by the same signal, and the program may handle it as well. So a stop has its own
//   entry in the dispatcher, beside the one handler that a loop has by `addSignalHandler`.
// - Code that ignores its cancellation would make the second signal useless, and a third, and so on. So the second one
//   is the last that is taken: from then on the signal has its earlier action, which for SIGTERM ends the process.
// - A handler that never ends keeps its server from returning, and with that from reporting. So what has not ended some
//   time after its cancellation is reported to the exception handler, once.

/// Something that a stop ends.
protocol StopMember: AnyObject, Sendable {
  /// Take in nothing new. Loop thread.
  func stopWasRequested()
  /// What would be cancelled now. Loop thread.
  var runningEntries: [StopEntry] { get }
  /// Cancel it. Loop thread.
  func cancelForStop()
}

/// A stop that a program can see coming: a request, by a signal or by code, and the time that what runs then still has.
///
/// ``withGracefulStop(on:drain:_:)`` makes one and gives it to its body. Servers join it by
/// ``StreamListener/serve(maximumConnections:until:_:)``, tasks by ``createTask(name:_:)``; a handler that would go on
/// for ever asks ``isRequested``, or waits inside of ``unlessRequested(_:)``. Any thread may use it, unless a call says
/// otherwise.
public final class GracefulStop: Sendable {
  private struct State {
    var stop = StopState()
    var members: [ObjectIdentifier: (number: UInt64, member: any StopMember)] = [:]
    var signals: [Int32] = []
    var timer: TimerHandle?
    /// True once the scope has ended.
    var isOver = false
    var numbers = WaitNumbers()
    /// What is to be cancelled at the request.
    var watchers: [UInt64: @Sendable () -> Void] = [:]
  }

  let core: BaseEventLoop
  /// How long what runs at the request may go on; `nil` means without a limit.
  private let drain: Duration?
  /// How long what was cancelled may take to end before that is reported.
  private let patience: Duration
  private let happened = Event()
  private let state = Lock(State())

  init(_ core: BaseEventLoop, drain: Duration?, patience: Duration = .seconds(10)) {
    (self.core, self.drain, self.patience) = (core, drain, patience)
  }

  // MARK: Asking

  /// True once a stop was requested.
  public var isRequested: Bool { state.withLock { $0.stop.phase != .running } }

  /// True once what had not ended was cancelled.
  var isCancelling: Bool { state.withLock { $0.stop.phase == .cancelling } }

  /// Wait until a stop is requested; returns at once if it was. Throws `CancellationError`.
  public func requested() async throws { try await happened.wait() }

  /// Request the stop. Another request does nothing.
  public func request() { perform(state.withLock { $0.stop.request(at: core.time()) }) }

  /// Cancel what has not ended, requested or not, as a second signal does.
  public func cancelNow() { perform(state.withLock { $0.stop.force(at: core.time()) }) }

  /// Run the body, and cancel it if a stop is requested meanwhile: for what waits for a client that may have nothing to
  /// say. Returns `nil` if the request has ended the body; a body that ends with a value anyway, or with an error of
  /// its own, has its way. After a request the body does not begin.
  ///
  /// ```swift
  /// while let line = try await stop.unlessRequested({ try await connection.readLine() }) ?? nil {
  ///   try await answer(line)
  /// }
  /// ```
  /// The closure does not escape; it runs in a task of its own on the same loop while the caller waits. For tasks of a
  /// loop: throws code `noRunningLoop` elsewhere, what the body throws, and `CancellationError`.
  public func unlessRequested<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value? {
    try await checkpoint()
    let core = try runningCore("unlessRequested")
    // A named function: inside a closure literal the compiler refuses to pass the body on.
    func race(_ body: @escaping () async throws -> Value) async throws -> Value? {
      let lent = LentBody(body)
      defer { lent.takeBack() }
      let task = Task(executorPreference: core.taskFacade) { try await lent.run() }
      // After a request that has come this very moment the task is cancelled before its first step.
      let watcher = watch { Sequel.cancel(task) }
      if watcher == nil { task.cancel() }
      let outcome = await withTaskCancellationHandler {
        await task.result
      } onCancel: {
        Sequel.cancel(task)
      }
      if let watcher { state.withLock { _ = $0.watchers.removeValue(forKey: watcher) } }
      if case .failure(let error) = outcome, error is CancellationError, isRequested, !Task.isCancelled { return nil }
      return try outcome.get()
    }
    if isRequested { return nil }
    return try await withoutActuallyEscaping(body, do: race)
  }

  /// Keep what is to happen at the request; `nil` if that has come.
  private func watch(_ watcher: @escaping @Sendable () -> Void) -> UInt64? {
    state.withLock { state in
      guard state.stop.phase == .running else { return nil }
      let number = state.numbers.next()
      state.watchers[number] = watcher
      return number
    }
  }

  // MARK: Stopping

  /// Do what a change of the state asks for, in the loop's thread.
  private func perform(_ action: StopState.Action) {
    switch action {
    case .none: break
    case .drain:
      happened.set()
      core.perform { _ in self.beginDraining() }
    case .cancel:
      happened.set()
      core.perform { _ in self.cancelMembers() }
    }
  }

  private func takeWatchers() -> [@Sendable () -> Void] {
    state.withLock { state in
      defer { state.watchers = [:] }
      return Array(state.watchers.values)
    }
  }

  private func beginDraining() {
    for watcher in takeWatchers() { watcher() }
    for member in members { member.stopWasRequested() }
    guard let drain else { return }
    setTimer(drain) { stop in stop.perform(stop.state.withLock { $0.stop.limitReached() }) }
  }

  private func cancelMembers() {
    removeSignals()
    for watcher in takeWatchers() { watcher() }
    // The body of a scope was the first to join, and is the last to be cancelled.
    let members = members.reversed()
    for member in members {
      member.stopWasRequested()
      note(member)
    }
    for member in members { member.cancelForStop() }
    setTimer(patience) { stop in stop.reportStubborn() }
  }

  private func setTimer(_ delay: Duration, _ body: @escaping @Sendable (GracefulStop) -> Void) {
    let timer = try? core.callLater(delay) { [weak self] in if let self { body(self) } }
    let unneeded = state.withLock { state in
      guard !state.isOver else { return timer }
      defer { state.timer = timer }
      return state.timer
    }
    unneeded?.cancel()
  }

  private func reportStubborn() {
    let names = state.withLock { $0.stop.stillRunning }
    guard !names.isEmpty else { return }
    core.callExceptionHandler(
      ExceptionContext(
        message: "a stop waits for what was cancelled \(patience) ago and has not ended: "
          + "\(names.joined(separator: ", ")). Let it end when its task is cancelled"))
  }

  // MARK: Members

  /// In the order in which they joined.
  var members: [any StopMember] {
    state.withLock { $0.members.values.sorted { $0.number < $1.number }.map(\.member) }
  }

  /// True once the scope has ended.
  var isOver: Bool { state.withLock { $0.isOver } }

  /// Take part, also in a stop that has begun. Loop thread.
  func join(_ member: any StopMember) {
    core.assertLoopThread()
    let phase = state.withLock { state in
      state.members[ObjectIdentifier(member)] = (state.numbers.next(), member)
      return state.stop.phase
    }
    if phase != .running { member.stopWasRequested() }
    if phase == .cancelling {
      note(member)
      member.cancelForStop()
    }
  }

  /// Note what a member is about to cancel.
  private func note(_ member: any StopMember) {
    let entries = member.runningEntries
    state.withLock { state in
      guard let number = state.members[ObjectIdentifier(member)]?.number else { return }
      state.stop.willCancel(entries, of: number)
    }
  }

  /// Take part no longer. Any thread.
  func leave(_ member: any StopMember) {
    state.withLock { _ = $0.members.removeValue(forKey: ObjectIdentifier(member)) }
  }

  /// Note that something has ended. Any thread.
  func ended(_ id: ObjectIdentifier) {
    let now = core.time()
    state.withLock { $0.stop.ended(id, at: now) }
  }

  /// Note that something has ended as it should, in spite of its cancellation. Any thread.
  func withdraw(_ id: ObjectIdentifier) { state.withLock { $0.stop.withdraw(id) } }

  /// Report what has happened to one member, which has not left yet, or to all.
  func report(of member: (any StopMember)? = nil) -> DrainReport {
    let now = core.time()
    return state.withLock { state in
      // None has the number 0.
      state.stop.report(at: now, of: member.map { state.members[ObjectIdentifier($0)]?.number ?? 0 })
    }
  }

  // MARK: Signals

  /// Let signals request the stop. `nil` is SIGTERM and SIGINT, as far as the system offers them.
  func watch(signals: [Int32]?, for operation: String) throws {
    do {
      for signal in signals ?? [SIGTERM, SIGINT] {
        do {
          try core.addSignalEntry(signal, key: ObjectIdentifier(self), for: operation) { [weak self] in
            self?.arrived(signal)
          }
          state.withLock { $0.signals.append(signal) }
        } catch let error as EventLoopError where error.code == .notOffered && signals == nil {}
      }
    } catch {
      removeSignals()
      throw error
    }
  }

  private func arrived(_ signal: Int32) { perform(state.withLock { $0.stop.note(signal: signal, at: core.time()) }) }

  private func removeSignals() {
    let signals = state.withLock { state in
      defer { state.signals = [] }
      return state.signals
    }
    for signal in signals { _ = SignalDispatcher.remove(signal, key: ObjectIdentifier(self)) }
  }

  /// Let go of the signals and the timer, at the end of the scope.
  func end() {
    removeSignals()
    let timer = state.withLock { state in
      state.isOver = true
      return state.timer.take()
    }
    timer?.cancel()
  }
}

extension GracefulStop: CustomStringConvertible {
  /// How logs show it: "GracefulStop (not requested)", or that it is requested or cancels what is left. Any thread.
  public var description: String {
    switch state.withLock({ $0.stop.phase }) {
    case .running: "GracefulStop (not requested)"
    case .draining: "GracefulStop (requested)"
    case .cancelling: "GracefulStop (cancelling)"
    }
  }
}
