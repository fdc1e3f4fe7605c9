internal import Synchronization

extension BaseEventLoop {
  /// Run the callback in the next turn. Loop thread; from others it is posted. Answers `call_soon`.
  @discardableResult
  public final func callSoon(
    context: CallbackContext, site: CallSite, _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> Handle {
    let onLoop = try checkThread("callSoon")
    if case .taskLocals = context {
      return try callSoon(context: .scopedPolicy, site: site, ParkedCallback.parking(callback))
    }
    if onLoop, watchReasons.load(ordering: .relaxed) == 0, CarriedScope.ofCaller == nil,
      let spare = spareHandles.take()
    {
      ready.push(LoopWord(owned: spare, .handle))
      let handle = spare.takeRetainedValue()
      handle.renew(callback)
      return handle
    }
    let handle = Handle(loop: self, site: site, callback: callback)
    if onLoop {
      pushReady(handle)
    } else if !intake.post(handle, .handle) {
      throw .closed("callSoon")
    }
    return handle
  }

  /// Run the callback soon, from any thread. Answers `call_soon_threadsafe`.
  @discardableResult
  public final func callSoonThreadsafe(
    context: CallbackContext, site: CallSite, _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> Handle {
    if isClosed { throw .closed("callSoonThreadsafe") }
    if case .taskLocals = context {
      return try callSoonThreadsafe(context: .scopedPolicy, site: site, ParkedCallback.parking(callback))
    }
    let handle = Handle(loop: self, site: site, cancelWaits: true, callback: callback)
    if isRunningInThisThread {
      pushReady(handle)
    } else if !intake.post(handle, .handle) {
      throw .closed("callSoonThreadsafe")
    }
    return handle
  }

  /// Run the callback at a time. Loop thread; from others it is posted. Answers `call_at`.
  @discardableResult
  public final func callAt(
    _ when: EventLoopInstant, context: CallbackContext, site: CallSite,
    _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> TimerHandle {
    let onLoop = try checkThread("callAt")
    if case .taskLocals = context {
      return try callAt(when, context: .scopedPolicy, site: site, ParkedCallback.parking(callback))
    }
    let timer = TimerHandle(loop: self, site: site, when: when, callback: callback)
    if onLoop {
      timers.insert(LoopWord(timer, .handle), deadline: when.nanoseconds)
    } else if !intake.post(timer, .timer) {
      throw .closed("callAt")
    }
    return timer
  }

  /// Return whether the call comes from the loop's thread. Throws for a closed loop, and in debug mode for a running
  /// loop of another thread.
  @inline(__always)
  final func checkThread(_ operation: String) throws(EventLoopError) -> Bool {
    if isRunningInThisThread { return true }
    switch lifecycle.load(ordering: .acquiring) {
    case Lifecycle.closed: throw .closed(operation)
    case Lifecycle.running where isDebug: throw .wrongThread(operation)
    default: return false
    }
  }

  /// Do something in the loop's thread: at once if that is here, else when the inbox is emptied. `dropped` runs instead
  /// if the loop is closed or closes first.
  final func perform(
    _ body: sending @escaping (BaseEventLoop) -> Void, dropped: sending @escaping () -> Void = {}
  ) {
    if isRunningInThisThread { return body(self) }
    let action = PostedAction(body, dropped: dropped)
    if !intake.post(action, .action) { action.dropped() }
  }

  /// The number of timers that are set. Loop thread, or while the loop does not run.
  package final var scheduledTimerCount: Int {
    assertLoopThread()
    return timers.count
  }

  /// The number of entries in the loop's queue. Loop thread, or while the loop does not run.
  package final var readyCount: Int {
    assertLoopThread()
    return ready.count
  }

  /// The number of entries that have gone into the loop's queue. Loop thread, or while the loop does not run.
  package final var enqueueCount: Int {
    assertLoopThread()
    return ready.pushed
  }

  /// The number of turns made. Loop thread, or while the loop does not run.
  package final var turnCount: UInt64 {
    assertLoopThread()
    return turns
  }
}
