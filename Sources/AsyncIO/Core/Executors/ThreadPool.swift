internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

/// A bounded pool of threads for work that blocks: file access, name look-up, a C library. Threads are made when
/// there is work for them and end after some idle seconds, or at `shutDown()`. Answers `ThreadPoolExecutor`.
public final class ThreadPool: @unchecked Sendable {
  // Right because everything mutable is under the one monitor.
  private let monitor = Monitor()
  private var queue: [@Sendable () -> Void] = []
  private var head = 0
  private var threads = 0
  private var idle = 0
  private var made = 0
  private var isShutDown = false
  private var whenEnded: [@Sendable () -> Void] = []

  /// Most threads at a time.
  public let maximumThreads: Int
  private let name: String
  private let idleNanoseconds: Int64
  /// Runs a step of a simulated thread. Nil: threads are the system's.
  private let runner: (@Sendable (@escaping @Sendable () -> Void) -> Void)?

  /// - Parameters:
  ///   - maximumThreads: at least 1, and less is taken for 1; the default is asyncio's, min(32, processors + 4).
  ///   - name: threads are named by it and a number.
  public convenience init(maximumThreads: Int? = nil, name: String = "asyncio") {
    self.init(maximumThreads: maximumThreads, name: name, idleTime: .seconds(10))
  }

  /// - Parameter idleTime: how long a thread waits for work before it ends.
  /// - Parameter runner: runs what a thread would do for one piece of work, some time later; for pools without threads.
  package init(
    maximumThreads: Int?, name: String = "asyncio", idleTime: Duration,
    runner: (@Sendable (@escaping @Sendable () -> Void) -> Void)? = nil
  ) {
    let processors = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    self.maximumThreads = max(1, maximumThreads ?? min(32, processors + 4))
    self.name = name
    idleNanoseconds = idleTime.saturatedNanoseconds
    self.runner = runner
  }

  /// Queues work. `false`: it was not taken, because the pool is shut down, or because it has no thread and the system
  /// gives it none (see ``EventLoop/runInExecutor(_:_:)``, which tells the two apart). A pool that has threads lets the
  /// work wait for one of them.
  public func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
    if case .taken = add(work) { true } else { false }
  }

  /// What became of work that was brought.
  enum Answer {
    case taken
    case isShutDown
    /// There is no thread that could do it, and this is why.
    case noThread(Errno)
  }

  /// Queues work. Any thread.
  func add(_ work: @escaping @Sendable () -> Void) -> Answer {
    let (answer, startsRunner) = monitor.locked { () -> (Answer, Bool) in
      guard !isShutDown else { return (.isShutDown, false) }
      var startsRunner = false
      if queue.count - head >= idle, threads < maximumThreads {
        if runner != nil {
          startsRunner = true
        } else if let refusal = startThread(), threads == 0 {
          return (.noThread(refusal), false)
        }
        if startsRunner { threads += 1 }
      }
      queue.append(work)
      if idle > 0 { monitor.signal() }
      return (.taken, startsRunner)
    }
    if startsRunner { runner?({ self.serveOne() }) }
    return answer
  }

  /// Inside of the monitor, so that nobody counts on a thread that may not come. Nil, or why there is none.
  private func startThread() -> Errno? {
    do throws(Errno) {
      try Thread.detach(name: "\(name)_\(made)") { self.serve() }
    } catch {
      return error
    }
    threads += 1
    made += 1
    LiveCounters.poolThreads.add(1, ordering: .relaxed)
    return nil
  }

  private func serve() {
    while let work = next() { work() }
    LiveCounters.poolThreads.subtract(1, ordering: .relaxed)
    tellWhenEnded()
  }

  /// The work of a simulated thread, a piece at a time. It ends when there is no more.
  private func serveOne() {
    monitor.locked { head < queue.count ? takeFirst() : nil }?()
    let isDone = monitor.locked { () -> Bool in
      guard head == queue.count else { return false }
      queue.removeAll(keepingCapacity: true)
      head = 0
      threads -= 1
      return true
    }
    if isDone { tellWhenEnded() } else { runner?({ self.serveOne() }) }
  }

  /// A thread has ended; if it was the last one, those who wait for that hear of it.
  private func tellWhenEnded() {
    let ended = monitor.locked { () -> [@Sendable () -> Void] in
      guard threads == 0 && isShutDown else { return [] }
      defer { whenEnded = [] }
      return whenEnded
    }
    for callback in ended { callback() }
  }

  /// The next work; nil when this thread should end. It is counted out under the same lock: work that comes right
  /// after must not count on a thread that is on its way out.
  private func next() -> (@Sendable () -> Void)? {
    monitor.locked {
      while head == queue.count {
        queue.removeAll(keepingCapacity: true)
        head = 0
        if isShutDown { return leave() }
        idle += 1
        let timedOut = !monitor.wait(until: MonotonicTime.after(idleNanoseconds))
        idle -= 1
        if timedOut && head == queue.count { return leave() }
      }
      return takeFirst()
    }
  }

  private func takeFirst() -> @Sendable () -> Void {
    let work = queue[head]
    // The closure's captures must not live as long as the array.
    queue[head] = {}
    head += 1
    return work
  }

  private func leave() -> (@Sendable () -> Void)? {
    threads -= 1
    return nil
  }

  /// Takes no more work; what is queued is still done, then the threads end. Does not wait.
  public func shutDown() {
    monitor.locked {
      isShutDown = true
      monitor.broadcast()
    }
  }

  /// Calls back when the pool was shut down and its last thread has ended; at once if that is so now.
  func notifyWhenEnded(_ callback: @escaping @Sendable () -> Void) {
    let now = monitor.locked { () -> Bool in
      if isShutDown && threads == 0 { return true }
      whenEnded.append(callback)
      return false
    }
    if now { callback() }
  }
}
