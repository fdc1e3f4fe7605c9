internal import CAsyncIO
internal import Logging

/// The policy that asyncio documents: one current loop per thread, made on demand in the main thread only.
///
/// `getEventLoop()` creates a loop if none was ever set in this thread and the thread is the main one, stores it
/// through ``setEventLoop(_:)``, and logs a deprecation warning, once in the life of the policy. After `setEventLoop`
/// was called, even with `nil`, it never creates one again. A closed loop stays current. With ``Creation/never`` it
/// never creates a loop: the strict form, which asyncio has since 3.14.
///
/// The methods are `open`: custom policies subclass and override, and the module's functions call the overrides. A
/// subclass restates `@unchecked Sendable`, as the compiler asks, and guards the state that it adds.
///
/// Thread rules: any thread. The contexts are behind a lock, which is what makes the unchecked conformance right.
open class DefaultEventLoopPolicy: EventLoopPolicy, @unchecked Sendable {
  /// When `getEventLoop()` makes a loop that was not asked for.
  public enum Creation: Sendable {
    /// In the main thread, before any `setEventLoop`: asyncio's rule up to 3.13.
    case mainThread
    /// Never: asyncio's rule since 3.14.
    case never
  }

  /// One thread's context. "Never set" is the absence of a slot, "set to nil" a slot without a loop.
  private struct Slot { var loop: (any EventLoop)? }

  private struct State {
    var slots: [ThreadContext.ID: Slot] = [:]
    var forkGeneration = casyncio_fork_generation()
    var hasWarned = false
    /// What the environment asked for when this policy first looked; the inner nil is "nothing".
    var kind: String??

    /// Forget the parent's loops in the child of a fork. They are not released either: a loop that goes away hands its
    /// jobs on, and the parent's work would be done twice.
    mutating func forgetParent() {
      let generation = casyncio_fork_generation()
      guard generation != forkGeneration else { return }
      forkGeneration = generation
      for case let loop? in slots.values.map(\.loop) { _ = Unmanaged.passRetained(loop as AnyObject) }
      slots = [:]
    }
  }

  private let creation: Creation
  private let state = Lock(State())

  /// Create a policy without a current loop.
  public init(creation: Creation = .mainThread) {
    self.creation = creation
  }

  /// Return the current loop of this thread; makes one if ``Creation`` says so, else throws code `noCurrentLoop`. Any
  /// thread. Answers `get_event_loop`.
  open func getEventLoop() throws -> any EventLoop {
    let slot = state.withLock { state in
      state.forgetParent()
      return state.slots[ThreadContext.current.id]
    }
    if let loop = slot?.loop { return loop }
    if slot == nil, creation == .mainThread, casyncio_is_main_thread() != 0 {
      let loop = try newEventLoop()
      setEventLoop(loop)
      warnOnce()
      return loop
    }
    throw EventLoopError(
      .noCurrentLoop,
      "there is no current event loop in \(ThreadContext.current). Use setEventLoop(newEventLoop()), or run your "
        + "code with AsyncIO.run.")
  }

  /// Make a loop, or none, the current one of this thread. Any thread. Answers `set_event_loop`.
  open func setEventLoop(_ loop: (any EventLoop)?) {
    let context = ThreadContext.current
    context.whenEnded(by: self) { [weak self] id in self?.forget(id) }
    // If this was the last reference to the old loop, it goes away outside of the lock.
    let old = state.withLock { state in
      state.forgetParent()
      defer { state.slots[context.id] = Slot(loop: loop) }
      return state.slots[context.id]
    }
    withExtendedLifetime(old) {}
  }

  /// Forget a thread that has ended: a later one must not find its loop.
  private func forget(_ id: ThreadContext.ID) {
    let old = state.withLock { $0.slots.removeValue(forKey: id) }
    withExtendedLifetime(old) {}
  }

  /// Make a loop of the platform's kind, or of the kind in `ASYNCIO_EVENT_LOOP` when this policy was first asked for
  /// one.
  open func newEventLoop() throws -> any EventLoop {
    let kind = state.withLock { state in
      if let kind = state.kind { return kind }
      let kind = Environment.eventLoop
      state.kind = .some(kind)
      return kind
    }
    return try EventLoopKinds.makeDefault(kind)
  }

  private func warnOnce() {
    let first = state.withLock { state in
      defer { state.hasWarned = true }
      return !state.hasWarned
    }
    guard first else { return }
    Logger(label: "asyncio").warning(
      """
      deprecated: getEventLoop() made an event loop because none was set in the main thread. \
      Use AsyncIO.run, or setEventLoop(newEventLoop()) first.
      """)
  }
}
