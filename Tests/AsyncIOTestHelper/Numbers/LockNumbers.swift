import AsyncIO

/// Locks, queues, and the values that stand in errors and statuses.
func probeLocks(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  await probe.each("Barrier.init(_:)", Extreme.ints, refusing: { $0 < 1 }) { value in
    let barrier = try Barrier(value)
    if value == 1 { try await barrier.wait() }
    if value > 1 {
      let waiting = try loop.createTask { try await barrier.wait() }
      try await sleep(for: .zero)
      barrier.abort()
      do { _ = try await waiting.get() } catch is BrokenBarrierError {}
    }
  }
  await probe.each("Condition.notify(_:)", Extreme.ints, refusing: { $0 < 0 }) { value in
    let condition = Condition()
    try await condition.withLock { try condition.notify(value) }
  }
  await probe.each("Semaphore.init(_:)", Extreme.ints, refusing: { $0 < 0 }) { value in
    let semaphore = try Semaphore(value)
    semaphore.release()
    semaphore.release()
    try await semaphore.acquire()
  }
  await probe.each("BoundedSemaphore.init(_:)", Extreme.ints, refusing: { $0 < 0 }) { value in
    let semaphore = try BoundedSemaphore(value)
    if value > 0 {
      try await semaphore.acquire()
      try semaphore.release()
    }
  }
  func pass(_ queue: Queue<Int>) async throws {
    try await queue.put(1)
    _ = (queue.isFull, queue.count, try await queue.get())
  }
  await probe.each("Queue.init(maxSize:)", Extreme.ints) { try await pass(Queue(maxSize: $0)) }
  await probe.each("PriorityQueue.init(maxSize:)", Extreme.ints) { try await pass(PriorityQueue(maxSize: $0)) }
  await probe.each("LifoQueue.init(maxSize:)", Extreme.ints) { try await pass(LifoQueue(maxSize: $0)) }

  await probe.each("Broadcast.init(capacity:overflow:)", Extreme.ints, refusing: { $0 < 1 }) { value in
    for overflow in [Broadcast<Int>.Overflow.dropOldest, .wait] {
      let broadcast = try Broadcast<Int>(capacity: value, overflow: overflow)
      let subscription = broadcast.subscribe()
      try await broadcast.send(1)
      _ = try await subscription.next()
    }
  }
  await probe.each("RateLimit.init(tokens:per:burst:)", Extreme.ints, refusing: { $0 < 1 }) { value in
    for period in [Duration.nanoseconds(1), .seconds(1), .seconds(Int64.max)] {
      _ = try RateLimit(tokens: 1, per: period, burst: value).tryAcquire()
      try await RateLimit(tokens: value, per: period).acquire(value)
    }
  }
  await probe.each("RateLimit.init(tokens:per:burst:)", Extreme.durations, refusing: { $0 <= .zero }) { value in
    try await RateLimit(tokens: 1, per: value).acquire()
  }
  await probe.each("RateLimit.acquire(_:)", Extreme.ints, refusing: { $0 < 0 || $0 > 5 }) { value in
    try await RateLimit(tokens: 5, per: .seconds(1)).acquire(value)
  }
  await probe.each("RateLimit.tryAcquire(_:)", Extreme.ints, refusing: { $0 < 0 || $0 > 5 }) { value in
    _ = try RateLimit(tokens: 5, per: .seconds(1)).tryAcquire(value)
  }

  await probe.each("TerminationStatus.returnCode", Extreme.int32s) {
    for status in [TerminationStatus.exited($0), .signaled($0)] { _ = (status.returnCode, status.description) }
  }
  await probe.each("WriteBufferLimits.init(high:low:)", Extreme.ints, refusing: { $0 < 0 }) { value in
    _ = try WriteBufferLimits(low: value)
    _ = try WriteBufferLimits(high: value)
    _ = try WriteBufferLimits(high: value, low: value)
  }
}
