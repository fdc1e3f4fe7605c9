// What Swift's runtime takes to suspend a task and to resume it: `swift_suspend WORK N`. There is no loop, no library
// and no thread but the main one; the executor is the least that runs a task.
//
// - suspend: one of 100 tasks suspends, and is resumed when nobody has anything left to do. The executor is the
//   process's own, as a loop is that has taken the process over.
// - suspend_preference: the same with Swift's executors in place, and tasks that prefer this one.
// - suspend_actor: the same as suspend with tasks that are isolated to an actor whose executor it is.
// - yield: a task gives way to others, of which there are none. The executor as in suspend.
//
// It promises nothing: jobs from another thread would break it. A job is run in the role in which it came, as of a task
// or of an actor; in the wrong one the runtime enqueues it up to three times.

import MicroSupport
@_spi(ExperimentalCustomExecutors) import _Concurrency

/// Runs jobs in the order in which they came. For one thread, which is what makes the unchecked conformance right.
private final class Queue: TaskExecutor, SerialExecutor, @unchecked Sendable {
  @exclusivity(unchecked) private var jobs: [UnownedJob] = []
  @exclusivity(unchecked) private var running: [UnownedJob] = []

  func enqueue(_ job: consuming ExecutorJob) { jobs.append(UnownedJob(job)) }

  /// Until there are none, each by the given call, which names the role.
  @inline(__always)
  func drain(_ run: (UnownedJob) -> Void) {
    while !jobs.isEmpty {
      swap(&jobs, &running)
      for job in running { run(job) }
      running.removeAll(keepingCapacity: true)
    }
  }
}

/// The suspended tasks. For one thread, like the queue.
private final class Suspended: @unchecked Sendable {
  @exclusivity(unchecked) private var waiting: [UnsafeContinuation<Void, Never>] = []
  @exclusivity(unchecked) private var resuming: [UnsafeContinuation<Void, Never>] = []

  func suspend(_ count: Int) async {
    for _ in 0..<count { await withUnsafeContinuation { waiting.append($0) } }
  }

  /// Resume all. Returns false if there were none.
  func resumeAll() -> Bool {
    guard !waiting.isEmpty else { return false }
    swap(&waiting, &resuming)
    for continuation in resuming { continuation.resume() }
    resuming.removeAll(keepingCapacity: true)
    return true
  }
}

private actor Member {
  private let queue: Queue
  nonisolated var unownedExecutor: UnownedSerialExecutor { queue.asUnownedSerialExecutor() }

  init(_ queue: Queue) { self.queue = queue }
  func suspend(_ suspended: Suspended, _ count: Int) async { await suspended.suspend(count) }
}

private let queue = Queue()
private let atOnce = 100

/// Gives the process's tasks to the queue. Before there is a task.
private struct Factory: ExecutorFactory {
  static var mainExecutor: any MainExecutor { PlatformExecutorFactory.mainExecutor }
  static var defaultExecutor: any TaskExecutor { queue }
}

/// Measure tasks at work. The first argument starts one of them, which repeats its part as often as it is told.
private func measureTasks(
  _ count: Int, atOnce: Int = atOnce, start: (Suspended, Int) -> Void, run: (UnownedJob) -> Void
) {
  measure(count) { count in
    let suspended = Suspended()
    for index in 0..<atOnce { start(suspended, (count + index) / atOnce) }
    repeat { queue.drain(run) } while suspended.resumeAll()
  }
}

@main
enum SwiftSuspend {
  static func main() {
    let arguments = PeerArguments()
    let count = arguments.count
    let (taskExecutor, serialExecutor) = (queue.asUnownedTaskExecutor(), queue.asUnownedSerialExecutor())
    switch arguments.work {
    case "suspend":
      _createExecutors(factory: Factory.self)
      measureTasks(count) { suspended, count in
        Task.detached { await suspended.suspend(count) }
      } run: {
        $0.runSynchronously(on: taskExecutor)
      }
    case "suspend_preference":
      measureTasks(count) { suspended, count in
        Task.detached(executorPreference: queue) { await suspended.suspend(count) }
      } run: {
        $0.runSynchronously(on: taskExecutor)
      }
    case "suspend_actor":
      _createExecutors(factory: Factory.self)
      measureTasks(count) { suspended, count in
        let member = Member(queue)
        Task.detached { await member.suspend(suspended, count) }
      } run: {
        $0.runSynchronously(on: serialExecutor)
      }
    case "yield":
      _createExecutors(factory: Factory.self)
      measureTasks(count, atOnce: 1) { _, count in
        Task.detached { for _ in 0..<count { await Task.yield() } }
      } run: {
        $0.runSynchronously(on: taskExecutor)
      }
    default: arguments.notOffered()
    }
  }
}
