import AsyncIO

/// Times, delays and limits.
func probeTime(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  await probe.each("EventLoopInstant.init(nanoseconds:)", Extreme.int64s) { value in
    let instant = EventLoopInstant(nanoseconds: value)
    _ = instant.description
    for duration in Extreme.durations { _ = instant.advanced(by: duration).description }
    for other in Extreme.instants { _ = (instant.duration(to: other), instant < other) }
  }
  probe.also(
    "EventLoopInstant.advanced(by:)", "EventLoopInstant.duration(to:)", "EventLoopInstant.nanoseconds",
    "TimeoutError.init(limit:)")

  await probe.each("EventLoop.callAt(_:context:fileID:line:_:)", Extreme.instants) {
    try loop.callAt($0) {}.cancel()
  }
  await probe.each("EventLoop.callLater(_:context:fileID:line:_:)", Extreme.durations) {
    try loop.callLater($0) {}.cancel()
  }
  await probe.each("EventLoop.callLater(seconds:context:fileID:line:_:)", Extreme.doubles, refusing: \.isNaN) {
    try loop.callLater(seconds: $0) {}.cancel()
  }
  await probe.each("BaseEventLoop.callAt(_:context:site:_:)", Extreme.instants) {
    try loop.callAt($0, context: .scopedPolicy, site: CallSite()) {}.cancel()
  }
  // Right because the helper runs loops of this package.
  let core = loop as! BaseEventLoop
  await probe.each("BaseEventLoop.setTimer(at:_:)", Extreme.instants) {
    try core.cancelTimer(try core.setTimer(at: $0) {})
  }
  await probe.each("BaseEventLoop.moveTimer(_:to:)", Extreme.instants) {
    let timer = try core.setTimer(at: core.time().advanced(by: .seconds(1000))) {}
    try core.moveTimer(timer, to: $0)
    try core.cancelTimer(timer)
  }
  await probe.each("TimerHandle.reschedule(at:)", Extreme.instants) {
    let timer = try loop.callLater(.seconds(1000)) {}
    try timer.reschedule(at: $0)
    timer.cancel()
  }
  // What is in the past ends at once, and what is not is cancelled a turn later.
  func slept(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let task = try loop.createTask { try await body() }
    try await sleep(for: .zero)
    task.cancel()
    do { try await task.get() } catch is CancellationError {}
  }
  await probe.each("sleep(for:)", Extreme.durations) { value in try await slept { try await sleep(for: value) } }
  await probe.each("sleep(seconds:)", Extreme.doubles, refusing: \.isNaN) { value in
    try await slept { try await sleep(seconds: value) }
  }
  await probe.each("sleep(until:)", Extreme.instants) { value in try await slept { try await sleep(until: value) } }

  await probe.each("withTimeout(_:_:)", Extreme.durations) { value in
    do { _ = try await withTimeout(value) { 1 } } catch let error as TimeoutError { _ = error.description }
  }
  await probe.each("withTimeout(at:_:)", Extreme.instants) { value in
    do {
      _ = try await withTimeout(at: value) { 1 }
      _ = try await withTimeout(at: value) { "\($0)" }
    } catch let error as TimeoutError { _ = error.description }
  }
  await probe.each("Timeout.reschedule(at:)", Extreme.instants) { value in
    _ = try await withTimeout(.seconds(3600)) { ($0.reschedule(at: value), "\($0)") }
  }
  await probe.each("Timeout.reschedule(after:)", Extreme.durations) { value in
    _ = try await withTimeout(value > .zero ? value : nil) { ($0.reschedule(after: value), "\($0)") }
  }
  await probe.each("wait(for:returnWhen:timeout:fileID:line:)", Extreme.durations) { value in
    let future: Future<Int> = loop.createFuture()
    try loop.callSoon { try future.setResult(1) }
    _ = try await wait(for: [future], timeout: value)
  }
  await probe.each("asCompleted(_:timeout:)", Extreme.durations) { value in
    let future: Future<Int> = loop.createFuture()
    try loop.callSoon { try future.setResult(1) }
    for try await _ in try asCompleted([future], timeout: value) {}
  }
  await probe.each("ThreadFuture.wait(timeout:)", Extreme.durations) { value in
    let event = Event()
    let future = try loop.runCoroutineThreadsafe { try await event.wait() }
    async let waited: Void = toThread { try future.wait(timeout: value) }
    event.set()
    try await waited
  }
  await probe.each("withCancellationShield(atMost:_:)", Extreme.durations) { value in
    do { _ = try await withCancellationShield(atMost: value) { 1 } } catch let error as TimeoutError {
      _ = error.description
    }
  }
  await probe.each("interval(every:from:missed:)", Extreme.durations, refusing: { $0 <= .zero }) { value in
    for missed in [MissedTicks.skip, .catchUp, .delay] {
      try await slept { for try await _ in try interval(every: value, missed: missed) {} }
    }
  }
  await probe.each("interval(every:from:missed:)", Extreme.instants) { value in
    for missed in [MissedTicks.skip, .catchUp, .delay] {
      try await slept { for try await _ in try interval(every: .seconds(1), from: value, missed: missed) {} }
    }
  }
  await probe.each("Backoff.exponential(from:atMost:)", Extreme.durations) { value in
    for backoff in [
      Backoff.exponential(from: value, atMost: .seconds(1)), .exponential(from: .seconds(1), atMost: value),
    ] {
      try await slept { try await retry(attempts: 2, backoff: backoff) { if $0 == 1 { throw EarlyEnd() } } }
    }
  }
  await probe.each("retry(attempts:backoff:jitter:while:_:)", Extreme.ints, refusing: { $0 < 1 }) { value in
    try await retry(attempts: value) { _ in }
  }
  let slow = loop as? BaseEventLoop
  await probe.each("BaseEventLoop.slowCallbackDuration", Extreme.durations) { value in
    let usual = slow?.slowCallbackDuration
    slow?.slowCallbackDuration = value
    try await sleep(for: .zero)
    if let usual { slow?.slowCallbackDuration = usual }
  }
  await probe.each("BaseEventLoop.shutdownDefaultExecutor(timeout:)", Extreme.durations) { value in
    let other = try newEventLoop()
    defer { try? other.close() }
    try await other.run {
      _ = try await toThread { 1 }
      await other.shutdownDefaultExecutor(timeout: value)
    }
  }
}

/// Failed once.
private struct EarlyEnd: Error {}
