internal import CAsyncIO
internal import SystemPackage

// Threads that wait for children, and what happens to the children if the system has no thread.

extension ChildWatch {
  /// Wait in a thread. If there is none, the loop looks at the child, and asks for a thread, again and again.
  func waitInThread(on core: BaseEventLoop) {
    do throws(Errno) { return try Thread.detach(name: "asyncio child") { self.waitBlocking() } } catch {}
    let look = NextLook { [unowned core] in
      if !self.takeStatus() { self.waitInThread(on: core) }
    } dropped: {
      self.abandon(closing: nil)
    }
    core.timers.insert(LoopWord(look, .node), deadline: core.time().advanced(by: .milliseconds(100)).nanoseconds)
  }

  /// Take the status of a child that has lost its owner, in a thread of a pool. If there is none, this thread waits, if
  /// it may: a killed child does not take long. One that may not be killed (it runs as another user) may go on for
  /// ever.
  func reap(mayBlock: Bool) {
    if Self.reapers.submit({ self.waitBlocking() }) { return }
    if mayBlock { waitBlocking() } else { Self.left.withLock { $0.append(self) } }
  }

  private static let reapers = ThreadPool(maximumThreads: 4, name: "asyncio reap", idleTime: .milliseconds(100))
  /// Children whose status is not taken for want of a thread; the next child has them looked at again.
  private static let left = Lock<[ChildWatch]>([])

  static func lookAtThoseLeft() {
    let all = left.withLock { left in
      defer { left = [] }
      return left
    }
    for watch in all where !watch.takeStatus() && !reapers.submit({ watch.waitBlocking() }) {
      left.withLock { $0.append(watch) }
    }
  }
}

/// A look at a child, a little later. Loop thread.
private final class NextLook: TimerNode {
  private let look: () -> Void
  private let dropped: () -> Void

  init(_ look: @escaping () -> Void, dropped: @escaping () -> Void) { (self.look, self.dropped) = (look, dropped) }

  override var inspected: (what: String, task: UInt?) { ("the next look at a child process", nil) }
  override func fire() { look() }
  override func drop() { dropped() }
}
