import AsyncIO
import POSIX

nonisolated(unsafe) let forkCases: [String: () throws -> Void] = [
  "fork": forkInCallback,
  "fork-proactor": forkWithRing,
  "fork-names": forkAfterLookUp,
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

/// A process that has looked up a name is forked; the threads that did it stay the parent's, and the child has its own.
private func forkAfterLookUp() throws {
  let loop = try SelectorEventLoop()
  let addresses = try loop.run { try await loop.getaddrinfo(host: "localhost", port: 1, family: .ipv4).count }
  fact("parent found some", addresses > 0)
  let child = fork()
  guard child == 0 else {
    var status: Int32 = 0
    waitpid(child, &status, 0)
    fact("child status", status)
    return try loop.close()
  }
  // A look-up that waits for threads that are not there never ends.
  alarm(10)
  do {
    let own = try SelectorEventLoop()
    let found = try own.run { try await own.getaddrinfo(host: "localhost", port: 1, family: .ipv4).count }
    fact("child found as many", found == addresses)
  } catch {
    fact("child threw", error)
  }
  _exit(0)
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

/// A process is forked while operations of its ring are in flight and a chunk is lent. The rings' memory is the
/// kernel's and the parent's; the child has none of it.
private func forkWithRing() throws {
  let loop = try ProactorEventLoop()
  try loop.run {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    async let accepted = listener.accept()
    let near = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
    let far = try await accepted
    async let across = near.readExactly(10)
    let isForked = loop.createFuture(of: Void.self)
    // The far side holds a chunk of the ring's memory meanwhile.
    async let echo: Void = far.forEachChunk { chunk in
      try loop.callSoon { try forkChild(of: loop, then: isForked) }
      try await isForked.get()
      fact("parent's lent chunk", chunk.withUnsafeBytes { $0.elementsEqual("question".utf8) } ? "right" : "wrong")
      try await far.write("the answer")
    }
    try await near.write("question")
    fact("parent's read across the fork", try await across == Array("the answer".utf8) ? "right" : "wrong")
    near.close()
    try await echo
    far.close()
    listener.close()
  }
  fact("parent's next run", try loop.run { try await pingPong() } == "pong" ? "right" : "wrong")
  try loop.close()
}

/// In a callback, so that the child is in no task.
private func forkChild(of loop: ProactorEventLoop, then isForked: Future<Void>) throws {
  let child = fork()
  if child == 0 {
    inChildOfRing(loop)
    _exit(0)
  }
  var status: Int32 = 0
  waitpid(child, &status, 0)
  fact("child status", status)
  try isForked.setResult(())
}

private func inChildOfRing(_ parentLoop: ProactorEventLoop) {
  fact("running in the child") { _ = try getRunningLoop() }
  fact("the parent's loop in the child") { try parentLoop.runForever() }
  do {
    let loop = try ProactorEventLoop()
    let answer = try loop.run { try await pingPong() }
    fact("fresh loop in the child", "\(loop.backendName): \(answer)")
    try loop.close()
  } catch { fact("child threw", error) }
}

private func pingPong() async throws -> String {
  let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
  defer { listener.close() }
  async let accepted = listener.accept()
  let near = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
  let far = try await accepted
  defer {
    near.close()
    far.close()
  }
  try await near.write("ping")
  guard try await far.readExactly(4) == Array("ping".utf8) else { return "wrong" }
  try await far.write("pong")
  return String(decoding: try await near.readExactly(4), as: UTF8.self)
}

/// Swift hides fork(): after it only the calling thread is left. Here there is no other.
private func fork() -> pid_t {
  typealias Fork = @convention(c) () -> pid_t
  return unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)()
}
