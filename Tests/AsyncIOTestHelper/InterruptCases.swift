import AsyncIO
import POSIX

nonisolated(unsafe) let interruptCases: [String: () throws -> Void] = cases.mapValues { body in
  {
    // What started this program may have the signal blocked or ignored, as a shell does for what runs in the
    // background.
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGINT)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    signal(SIGINT, SIG_DFL)
    try body()
  }
}

nonisolated(unsafe) private let cases: [String: () throws -> Void] = [
  "interrupt-once": interruptOnce,
  "interrupt-process": interruptProcess,
  "interrupt-busy": interruptBusy,
  "interrupt-thrice": interruptThrice,
  "interrupt-handled": interruptHandled,
  "interrupt-stopped": interruptStopped,
  "interrupt-other-thread": interruptOtherThread,
  "interrupt-too-late": interruptTooLate,
  "interrupt-forked": interruptForked,
  "interrupt-loops": interruptLoops,
  "interrupt-loops-twice": interruptLoopsTwice,
  "interrupt-program": { EndlessProgram.main() },
]

/// What SIGINT does now.
private var action: String {
  var now = sigaction()
  sigaction(SIGINT, nil, &now)
  let address = unsafeBitCast(now.__sigaction_handler.sa_handler, to: Int.self)
  return address == 0 ? "default" : address == 1 ? "ignored" : "a handler"
}

/// What a run ended with.
private func end(_ name: String, _ body: () throws -> String) {
  do { fact(name, try body()) } catch let error as EventLoopError { fact(name, error.code) } catch {
    fact(name, "\(type(of: error))")
  }
}

/// Suspend until it is cancelled, and send a signal when it waits.
private func untilCancelled(_ signals: Int32...) async throws {
  let loop = try getRunningLoop()
  for signal in signals { try loop.callSoon { kill(getpid(), signal) } }
  try await sleep(for: .seconds(3600))
}

private func interruptOnce() throws {
  fact("before", action)
  let runner = Runner()
  let notes = Notes()
  end("ended with") {
    try runner.run {
      fact("during", action)
      do { try await untilCancelled(SIGINT) } catch {
        await Task.yield()
        notes.add("cleaned up")
        throw error
      }
      return "nothing"
    }
  }
  fact("notes", notes.all)
  fact("between", action)
  end("again") { try runner.run { "5" } }
  try runner.close()
}

private func interruptProcess() throws {
  end("ended with") {
    try AsyncIO.run {
      fact("during", action)
      try await untilCancelled(SIGINT)
      return "nothing"
    }
  }
  fact("after", action)
}

/// The body never waits for anything that it could be called away from: it is queued again in each turn.
private func interruptBusy() throws {
  let runner = Runner()
  let notes = Notes()
  end("ended with") {
    try runner.run {
      try getRunningLoop().callLater(.milliseconds(20)) { kill(getpid(), SIGINT) }
      do { while true { try await sleep(for: .zero) } } catch {
        notes.add("\(type(of: error))")
        throw error
      }
    }
  }
  fact("notes", notes.all)
  try runner.close()
}

/// Every body of several loops is cancelled, whichever of them is in the main thread.
private func interruptLoops() throws {
  let notes = Notes()
  let barrier = try Barrier(3)
  end("ended with") {
    try AsyncIO.run(loops: 3) { group in
      if group.index == 0 { fact("during", action) }
      try await barrier.wait()
      do { try await group.index == 0 ? untilCancelled(SIGINT) : untilCancelled() } catch {
        await Task.yield()
        notes.add("\(group.index) cleaned up")
        throw error
      }
      return "nothing"
    }[0]
  }
  fact("notes", notes.all)
  fact("after", action)
}

/// The second signal ends the runs of all loops; what is left is cancelled once more, and awaited.
private func interruptLoopsTwice() throws {
  let notes = Notes()
  let barrier = try Barrier(2)
  end("ended with") {
    try AsyncIO.run(loops: 2) { group in
      try await barrier.wait()
      if group.index == 0 { try group.loop.callSoon { kill(getpid(), SIGINT) } }
      try? await sleep(for: .seconds(3600))
      notes.add("\(group.index) did not mind")
      if group.index == 0 { try group.loop.callSoon { kill(getpid(), SIGINT) } }
      // The end of the runs cancels it once more.
      while currentTask()?.cancelling ?? 0 < 2 { await Task.yield() }
      return "value"
    }[0]
  }
  fact("notes", notes.all)
  fact("after", action)
}

/// A body that blocks the thread sees nothing; the third signal has its default action.
private func interruptThrice() throws {
  try Runner().run {
    for _ in 0..<2 { kill(getpid(), SIGINT) }
    while action != "default" { sched_yield() }
    fact("after two", action)
    kill(getpid(), SIGINT)
    while true { sched_yield() }
  }
}

/// A handler of the program wins while it is there, and its removal gives the signal back to the run.
private func interruptStopped() throws {
  let runner = Runner()
  end("ended with") {
    try runner.run {
      let report = try await withGracefulStop(drain: .seconds(3600)) { stop in
        kill(getpid(), SIGINT)
        try await stop.requested()
      }
      fact("signal", "\(report.signal == SIGINT), forced: \(report.wasForced)")
      let second = try await withGracefulStop(drain: .seconds(3600)) { stop in
        kill(getpid(), SIGINT)
        try await stop.requested()
        kill(getpid(), SIGINT)
        // The third is the run's: it cancels the main task. This one ends for it.
        try? await sleep(for: .seconds(3600))
        kill(getpid(), SIGINT)
        while !Task.isCancelled || currentTask()?.cancelling == 0 { await Task.yield() }
      }
      fact("second", "\(second.wasForced)")
      return "nothing"
    }
  }
  fact("between", action)
  try runner.close()
}

private func interruptHandled() throws {
  let runner = Runner()
  let notes = Notes()
  end("ended with") {
    try runner.run {
      let loop = try getRunningLoop()
      let handled = loop.createFuture(of: Void.self)
      try loop.addSignalHandler(SIGINT) {
        notes.add("handled")
        try handled.setResult(())
      }
      kill(getpid(), SIGINT)
      try await handled.get()
      loop.removeSignalHandler(SIGINT)
      try await untilCancelled(SIGINT)
      return "nothing"
    }
  }
  fact("notes", notes.all)
  fact("between", action)
  end("kept") {
    try runner.run {
      try getRunningLoop().addSignalHandler(SIGINT) {}
      return "value"
    }
  }
  fact("kept action", action)
  try runner.close()
  fact("after", action)
}

private func interruptOtherThread() throws {
  try AsyncIO.run {
    // The process run has the main thread and the signal; a runner of another thread leaves it alone.
    let other = try getRunningLoop().runInExecutor {
      let runner = Runner()
      defer { try? runner.close() }
      return try runner.run { currentTask()?.cancelling ?? -1 }
    }
    fact("other", try await other.get())
    fact("during", action)
  }
  signal(SIGINT, SIG_DFL)
  let done = DoneFlag()
  Thread.start {
    let runner = Runner()
    fact("alone", (try? runner.run { action }) ?? "thrown")
    try? runner.close()
    done.set()
  }
  done.wait()
}

/// A thread of the operating system.
private enum Thread {
  static func start(_ body: @escaping @Sendable () -> Void) {
    final class Start {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, Unmanaged.passRetained(Start(body)).toOpaque())
    pthread_detach(thread)
  }
}

/// A signal in the last turn, which the loop sees no more, is not lost.
private func interruptTooLate() throws {
  let runner = Runner()
  end("ended with") {
    try runner.run {
      kill(getpid(), SIGINT)
      return "value"
    }
  }
  try runner.close()
}

/// A signal for the child is not the parent's.
private func interruptForked() throws {
  let runner = Runner()
  end("ended with") {
    try runner.run {
      let child = fork()
      if child == 0 {
        fact("in the child", action)
        kill(getpid(), SIGINT)
        _exit(9)
      }
      var status: Int32 = 0
      while waitpid(child, &status, 0) < 0 && errno == EINTR {}
      fact("child ended by", status & 0x7f)
      for _ in 0..<10 { try await sleep(for: .zero) }
      return "value"
    }
  }
  try runner.close()
}

private struct EndlessProgram: AsyncProgram {
  static func run() async throws { try await untilCancelled(SIGINT) }
}
