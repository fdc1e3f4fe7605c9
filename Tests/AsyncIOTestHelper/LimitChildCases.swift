import AsyncIO
import POSIX

// Children at the limit of threads, where somebody has to see to them later, or at once.

/// A child that may not be killed is left at the close of its loop; nobody can wait for it, and it ends by itself.
func childAliveAtTheLimit() throws {
  guard geteuid() == 0 else { return fact("is possible", false) }
  fact("is possible", true)
  let loop = try newEventLoop()
  var ends: [Int32] = [-1, -1]
  guard pipe(&ends) == 0 else { return fact("is possible", "no pipe") }
  for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  let (input, output) = (ends[0], ends[1])
  let child = try loop.run {
    try await ChildProcess.spawn("cat", standardInput: .descriptor(input), standardOutput: .null)
  }
  close(input)
  // Only who runs as the same user may kill it.
  Limit.becomeOrdinaryUser()
  Limit.threads.take()
  fact("refuses", Limit.refusesThreads)
  try loop.close()
  fact("may be killed", kill(child.processIdentifier, 0) == 0 || errno != EPERM)
  // It ends with its input.
  close(output)
  var info = siginfo_t()
  waitid(P_PID, id_t(child.processIdentifier), &info, WEXITED | WNOWAIT)
  Limit.threads.giveBack()
  let next = try newEventLoop()
  try next.run {
    // The next child has those looked at that were left.
    _ = try await ChildProcess.run("true")
    while kill(child.processIdentifier, 0) == 0 || errno != ESRCH { try await sleep(for: .milliseconds(1)) }
  }
  fact("is gone", true)
  try next.close()
}

/// There is a thread that starts a child, and none that could wait for it.
func childUnwatchedAtTheLimit() throws {
  try AsyncIO.run {
    // Its thread stays for a while.
    _ = try await ChildProcess.run("true")
    Limit.memory.take()
    let rest = Limit.fillMemory()
    fact("refuses", Limit.refusesThreads)
    let said = await outcome {
      try await ChildWatching.$isByThread.withValue(true) { "\(try await ChildProcess.run("sleep", ["1000"]).status)" }
    }
    var status: Int32 = 0
    let hasChildren = waitpid(-1, &status, WNOHANG) >= 0 || errno != ECHILD
    Limit.freeMemory(rest)
    Limit.memory.giveBack()
    fact("child", said)
    fact("has children", hasChildren)
  }
}
