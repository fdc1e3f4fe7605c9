import NIOCore

/// What a program has to write to have its tasks run on a loop.
final class LoopExecutor: TaskExecutor {
  private let loop: any EventLoop
  init(_ loop: any EventLoop) { self.loop = loop }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }

  func run(_ body: @escaping @Sendable (LoopExecutor) async -> Void) async {
    await Task(executorPreference: self) {
      await body(self)
      self.loop.preconditionInEventLoop()
    }.value
  }
}

nonisolated(nonsending) func spawn(_ count: Int, _ executor: LoopExecutor) async {
  var sum = 0
  for _ in 0..<count { sum += await Task(executorPreference: executor) { 1 }.value }
  precondition(sum == count)
}

nonisolated(nonsending) func yieldOften(_ count: Int) async {
  for _ in 0..<count { await Task.yield() }
}

nonisolated(nonsending) func resume(_ count: Int, _ loop: any EventLoop) async {
  for _ in 0..<count {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      loop.execute { continuation.resume() }
    }
  }
}

actor OnLoop {
  private let loop: any EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.executor.asUnownedSerialExecutor() }

  init(_ loop: any EventLoop) { self.loop = loop }

  private func one() -> Int {
    loop.preconditionInEventLoop()
    return 1
  }

  func spawn(_ count: Int) async {
    var sum = 0
    for _ in 0..<count { sum += await Task { one() }.value }
    precondition(sum == count)
  }

  func yield(_ count: Int) async {
    for _ in 0..<count { await Task.yield() }
  }
}
