// Timers and posts for those who need no handle.

extension BaseEventLoop {
  /// Run the callback at a time on the loop's clock, as ``EventLoop/callAt(_:context:site:_:)`` does, and cost less:
  /// the timer is not an object, and only the loop's own thread can cancel it. The callback sees the policy of its
  /// caller.
  ///
  /// Loop thread; throws code `wrongThread` elsewhere, and `closed`. asyncio has no such call.
  @discardableResult
  public final func setTimer(
    at when: EventLoopInstant, _ callback: consuming sending @escaping () throws -> Void
  ) throws(EventLoopError) -> TimerToken {
    try checkTimerThread("setTimer")
    if let scope = CarriedScope.ofCaller {
      let inner = callback
      return insertTimer(at: when) { try scope.enter { try inner() } }
    }
    return insertTimer(at: when, callback)
  }

  @inline(__always)
  private final func insertTimer(
    at when: EventLoopInstant, _ callback: consuming @escaping () throws -> Void
  ) -> TimerToken {
    let (place, use) = timers.tokens.add(callback)
    timers.insert(token: place, deadline: when.nanoseconds)
    return TimerToken(loop: UInt32(truncatingIfNeeded: number), place: UInt32(truncatingIfNeeded: place), use: use)
  }

  /// Cancel a timer and drop its callback. Returns `false` if the callback has begun or the timer was cancelled before.
  ///
  /// Loop thread; throws code `wrongThread` elsewhere, `foreignLoop` for a token of another loop, and `closed`.
  @discardableResult
  public final func cancelTimer(_ timer: TimerToken) throws(EventLoopError) -> Bool {
    try checkTimer(timer, "cancelTimer")
    guard let slot = timers.tokens.slot(of: timer) else { return timers.tokens.drop(timer) != nil }
    timers.remove(slot)
    _ = timers.tokens.remove(Int(timer.place))
    return true
  }

  /// Move a timer to another time, after the others of that time. Returns `false` and does nothing if its time has
  /// come already, or it was cancelled.
  ///
  /// Loop thread; throws code `wrongThread` elsewhere, `foreignLoop` for a token of another loop, and `closed`.
  @discardableResult
  public final func moveTimer(_ timer: TimerToken, to when: EventLoopInstant) throws(EventLoopError) -> Bool {
    try checkTimer(timer, "moveTimer")
    guard let slot = timers.tokens.slot(of: timer) else { return false }
    timers.move(slot, to: when.nanoseconds)
    return true
  }

  @inline(__always)
  private final func checkTimerThread(_ operation: String) throws(EventLoopError) {
    if !isRunningInThisThread { throw isClosed ? .closed(operation) : .wrongThread(operation) }
  }

  @inline(__always)
  private final func checkTimer(_ timer: TimerToken, _ operation: String) throws(EventLoopError) {
    try checkTimerThread(operation)
    if timer.loop != UInt32(truncatingIfNeeded: number) { throw .timerOfAnotherLoop(operation) }
  }

  /// Run the callback of a token that is due.
  final func runToken(_ place: Int) throws {
    let callback = timers.tokens.remove(place)
    do { try callback?() } catch { try callbackFailed(error, nil) }
  }

  // MARK: Posts

  /// Run the callback soon, as ``EventLoop/callSoonThreadsafe(context:site:_:)`` does, and cost less: there is no
  /// handle, so it cannot be cancelled. The callback sees the policy of its caller. Callbacks of one thread run in
  /// their order.
  ///
  /// Any thread; throws code `closed`. asyncio has no such call.
  public final func post(_ callback: consuming sending @escaping () throws -> Void) throws(EventLoopError) {
    if let scope = CarriedScope.ofCaller {
      let inner = callback
      return try postPlain { try scope.enter { try inner() } }
    }
    try postPlain(callback)
  }

  @inline(__always)
  private final func postPlain(_ callback: consuming sending @escaping () throws -> Void) throws(EventLoopError) {
    if isRunningInThisThread {
      // Those that wait run in the order of their words, and what arrives is kept apart here.
      if keepsArrivalsApart {
        try callSoon(callback)
        return
      }
      posted.append(PostedCallback(run: callback))
      ready.push(.posted)
    } else if !intake.post(PostedCallback(run: callback)) {
      throw .closed("post")
    }
  }

  /// Run the next callback that was posted.
  final func runPosted() throws {
    guard let callback = posted.popFirst() else { return assertionFailure("a callback that was posted was lost") }
    do { try callback.run() } catch { try callbackFailed(error, nil) }
  }
}

extension EventLoopError {
  fileprivate static func timerOfAnotherLoop(_ operation: String) -> EventLoopError {
    EventLoopError(.foreignLoop, "\(operation): the timer belongs to another event loop. Ask that loop.")
  }
}
