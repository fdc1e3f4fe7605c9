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

  await probe.each("TerminationStatus.returnCode", Extreme.int32s) {
    for status in [TerminationStatus.exited($0), .signaled($0)] { _ = (status.returnCode, status.description) }
  }
  await probe.each("WriteBufferLimits.init(high:low:)", Extreme.ints, refusing: { $0 < 0 }) { value in
    _ = try WriteBufferLimits(low: value)
    _ = try WriteBufferLimits(high: value)
    _ = try WriteBufferLimits(high: value, low: value)
  }
}
