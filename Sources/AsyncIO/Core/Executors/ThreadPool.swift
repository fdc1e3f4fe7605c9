internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

/// A bounded pool of threads for work that blocks: file access, name look-up, a C library. Threads are made when there
/// is work for them and end after some idle seconds, or at `shutDown()`. Answers `ThreadPoolExecutor`.
public final class ThreadPool: @unchecked Sendable {
  // Right because everything mutable is under the one monitor.
  private let monitor = Monitor()
  private var queue = FirstInFirstOut<@Sendable () -> Void>()
  private var threads = 0
  private var idle = 0
  private var made = 0
  private var isShutDown = false
  private var whenEnded: [@Sendable () -> Void] = []

  /// The largest number of threads at a time.
  public let maximumThreads: Int
  private let name: String
  private let idleNanoseconds: Int64
  /// Runs a step of a simulated thread. Nil if the threads are the system's.
  private let runner: (@Sendable (@escaping @Sendable () -> Void) -> Void)?

  /// - Parameters:
  ///   - maximumThreads: at least 1, and less is taken as 1; the default is asyncio's, min(32, processors + 4).
  ///   - name: the first part of the threads' names, which end in a number.
  public convenience init(maximumThreads: Int? = nil, name: String = "asyncio") {
    self.init(maximumThreads: maximumThreads, name: name, idleTime: .seconds(10))
  }

  /// - Parameter idleTime: how long a thread waits for work before it ends.
  /// - Parameter runner: does one piece of a thread's work, some time later; for pools without threads.
  package init(
    maximumThreads: Int?, name: String = "asyncio", idleTime: Duration,
    runner: (@Sendable (@escaping @Sendable () -> Void) -> Void)? = nil
  ) {
    let processors = Int(casyncio_processors())
    self.maximumThreads = max(1, maximumThreads ?? min(32, processors + 4))
    self.name = name
    idleNanoseconds = idleTime.saturatedNanoseconds
    self.runner = runner
  }

  /// Queue work. Returns `false` if the work was not taken, because the pool is shut down, or because it has no thread
  /// and the system gives it none (see ``EventLoop/runInExecutor(_:_:)``, which tells the two apart). In a pool that
  /// has threads, the work waits for one of them.
  public func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
    if case .taken = add(work) { true } else { false }
  }

  /// What happened to the work.
  enum Answer {
    case taken
    case isShutDown
    /// No thread could do it, for this reason.
    case noThread(Errno)
  }

  /// Queue work. Any thread.
  func add(_ work: @escaping @Sendable () -> Void) -> Answer {
    let (answer, startsRunner) = monitor.locked { () -> (Answer, Bool) in
      guard !isShutDown else { return (.isShutDown, false) }
      var startsRunner = false
      if queue.count >= idle, threads < maximumThreads {
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

  /// Start a thread, inside of the monitor, so that no other call counts on a thread that may not come. Returns nil, or
  /// why there is none.
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

  /// What the pool does now. Any thread.
  package var figures: (queued: Int, threads: Int, idle: Int) {
    monitor.locked { (queue.count, threads, idle) }
  }

  /// The number of places that the queue has in memory, for tests.
  var queuePlaces: Int { monitor.locked { queue.places } }

  private func serve() {
    while let work = next() { work() }
    LiveCounters.poolThreads.subtract(1, ordering: .relaxed)
    tellWhenEnded()
  }

  /// Do the work of a simulated thread, one piece at a time. It ends when there is no more.
  private func serveOne() {
    monitor.locked { queue.popFirst() }?()
    let isDone = monitor.locked { () -> Bool in
      guard queue.isEmpty else { return false }
      threads -= 1
      return true
    }
    if isDone { tellWhenEnded() } else { runner?({ self.serveOne() }) }
  }

  /// Call back after the end of a thread, if it was the last one.
  private func tellWhenEnded() {
    let ended = monitor.locked { () -> [@Sendable () -> Void] in
      guard threads == 0 && isShutDown else { return [] }
      defer { whenEnded = [] }
      return whenEnded
    }
    for callback in ended { callback() }
  }

  /// Return the next work; nil if this thread should end. The thread is counted out under the same lock: work that
  /// comes right after must not count on a thread that is on its way out.
  private func next() -> (@Sendable () -> Void)? {
    monitor.locked {
      while queue.isEmpty {
        if isShutDown { return leave() }
        idle += 1
        let timedOut = !monitor.wait(until: MonotonicTime.after(idleNanoseconds))
        idle -= 1
        if timedOut && queue.isEmpty { return leave() }
      }
      return queue.popFirst()
    }
  }

  private func leave() -> (@Sendable () -> Void)? {
    threads -= 1
    return nil
  }

  /// Take no more work; queued work is still done, then the threads end. Does not wait.
  public func shutDown() {
    monitor.locked {
      isShutDown = true
      monitor.broadcast()
    }
  }

  /// Call back when the pool was shut down and its last thread has ended; at once if that has happened.
  func notifyWhenEnded(_ callback: @escaping @Sendable () -> Void) {
    let now = monitor.locked { () -> Bool in
      if isShutDown && threads == 0 { return true }
      whenEnded.append(callback)
      return false
    }
    if now { callback() }
  }
}
