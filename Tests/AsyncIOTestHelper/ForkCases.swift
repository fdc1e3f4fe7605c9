import AsyncIO
import Glibc

nonisolated(unsafe) let forkCases: [String: () throws -> Void] = [
  "fork": forkInCallback
]

/// A process is forked by a callback of a running loop; the child has nothing of it.
private func forkInCallback() throws {
  let loop = try SelectorEventLoop()
  try setLoopWithWork()
  let strict = DefaultEventLoopPolicy(creation: .never)
  strict.setEventLoop(loop)
  let parent = getpid()
  try loop.callSoon {
    let child = fork()
    guard child == 0 else {
      var status: Int32 = 0
      waitpid(child, &status, 0)
      fact("child status", status)
      fact("parent still runs", try getRunningLoop() === loop)
      fact("parent's context", try strict.getEventLoop() === loop)
      return loop.stop()
    }
    do { try inChild(strict, parentLoop: loop) } catch { fact("child threw", error) }
    fact("is another process", getpid() != parent)
    _exit(0)
  }
  try loop.runForever()
  try loop.close()
}

/// The one reference to this loop is the policy's, and the loop has work to do: for the parent.
private func setLoopWithWork() throws {
  let loop = try newEventLoop()
  setEventLoop(loop)
  Task(executorPreference: loop.taskExecutor) { fact("work of the parent's loop", "done in \(getpid())") }
}

private func inChild(_ strict: DefaultEventLoopPolicy, parentLoop: SelectorEventLoop) throws {
  fact("running") { _ = try getRunningLoop() }
  fact("current") { _ = try strict.getEventLoop() }
  fact("task", withUnsafeCurrentTask { $0 != nil })
  // The default policy makes one, as in any process whose main thread has none.
  let loop = try getEventLoop()
  fact("fresh", loop !== parentLoop)
  try loop.callSoon { fact("callback", try getRunningLoop() === loop) }
  let runs = try loop.run {
    try await sleep(for: .milliseconds(1))
    return try getEventLoop() === loop
  }
  fact("runs", runs)
  try loop.close()
}

/// Swift hides fork(): after it only the calling thread is left. Here there is no other.
private func fork() -> pid_t {
  typealias Fork = @convention(c) () -> pid_t
  return unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)()
}
