import AsyncIO
import Dispatch
import POSIX

nonisolated(unsafe) let dispatchCases: [String: () throws -> Void] = [
  "dispatch-main": dispatchMain,
  "dispatch-main-early": dispatchMainEarly,
  "dispatch-main-source": dispatchMainSource,
  "dispatch-main-two-runs": dispatchMainTwoRuns,
  "dispatch-main-loops": dispatchMainLoops,
  "dispatch-main-scoped": dispatchMainScoped,
  "dispatch-main-off": dispatchMainOff,
  "dispatch-main-no-descriptors": dispatchMainNoDescriptors,
  "dispatch-main-standard-number": dispatchMainStandardNumber,
]

@MainActor private var counter = 0

/// Block of several threads, and of each other, run on the loop's thread and in the loop.
private func dispatchMain() throws {
  try AsyncIO.run {
    let loop = try getRunningLoop()
    let future = loop.createFuture(of: Bool.self)
    DispatchQueue.main.async {
      fact("on the main thread", isMainThread())
      fact("in the loop", (try? getRunningLoop()) === loop)
      MainActor.assumeIsolated { counter += 1 }
      DispatchQueue.main.async { try? future.setResult(true) }
    }
    fact("nested", try await future.get())
    let all = loop.createFuture(of: Bool.self)
    let group = DispatchGroup()
    for _ in 0..<4 {
      group.enter()
      DispatchQueue.global().async {
        for _ in 0..<1000 { DispatchQueue.main.async { MainActor.assumeIsolated { counter += 1 } } }
        group.leave()
      }
    }
    group.notify(queue: .main) { try? all.setResult(true) }
    fact("notified", try await all.get())
    fact("counted", await MainActor.run { counter })
    fact("awaited", await withCheckedContinuation { done in DispatchQueue.main.async { done.resume(returning: true) } })
  }
}

/// A block that was queued before the run is done in it.
private func dispatchMainEarly() throws {
  let notes = Notes()
  DispatchQueue.main.async { notes.add(isMainThread() ? "early" : "early, elsewhere") }
  fact("before", notes.all)
  try AsyncIO.run { while notes.all.isEmpty { try await sleep(for: .zero) } }
  fact("notes", notes.all)
}

/// Sources on the main queue: a timer and a signal, which programs handle in this way.
private func dispatchMainSource() throws {
  try AsyncIO.run {
    let loop = try getRunningLoop()
    let fired = loop.createFuture(of: Bool.self)
    let timer = DispatchSource.makeTimerSource(queue: .main)
    timer.setEventHandler { _ = try? fired.setResult(isMainThread()) }
    timer.schedule(deadline: .now() + .milliseconds(1))
    timer.resume()
    fact("timer", try await fired.get())
    timer.cancel()
    signal(SIGUSR2, SIG_IGN)
    let caught = loop.createFuture(of: Bool.self)
    let source = DispatchSource.makeSignalSource(signal: SIGUSR2, queue: .main)
    source.setEventHandler { _ = try? caught.setResult(isMainThread()) }
    let isReady = loop.createFuture(of: Bool.self)
    source.setRegistrationHandler { _ = try? isReady.setResult(true) }
    source.resume()
    _ = try await isReady.get()
    kill(getpid(), SIGUSR2)
    fact("signal", try await caught.get())
    source.cancel()
  }
}

/// What is queued between two runs is done in the second one; runs leave nothing behind.
private func dispatchMainTwoRuns() throws {
  let notes = Notes()
  try AsyncIO.run {
    await withCheckedContinuation { done in DispatchQueue.main.async { done.resume() } }
  }
  let descriptors = descriptorCount()
  DispatchQueue.main.async { notes.add("between") }
  fact("before", notes.all)
  try AsyncIO.run { while notes.all.isEmpty { try await sleep(for: .zero) } }
  fact("after", notes.all)
  for _ in 0..<20 {
    try AsyncIO.run { await withCheckedContinuation { done in DispatchQueue.main.async { done.resume() } } }
  }
  fact("descriptors", descriptorCount() - descriptors)
}

/// Of several loops the first one, which has the main thread.
private func dispatchMainLoops() throws {
  let places = try AsyncIO.run(loops: 2) { group in
    let loop = group.loops[0]
    return await withCheckedContinuation { done in
      DispatchQueue.main.async { done.resume(returning: isMainThread() && (try? getRunningLoop()) === loop) }
    }
  }
  fact("places", places)
}

/// A scoped run does not have the process, and leaves the queue alone.
private func dispatchMainScoped() throws {
  let notes = Notes()
  let loop = try newEventLoop()
  DispatchQueue.main.async { notes.add("ran") }
  try loop.run { for _ in 0..<50 { try await sleep(for: .milliseconds(1)) } }
  fact("notes", notes.all)
  try loop.close()
}

/// Switched off, the queue waits.
private func dispatchMainOff() throws {
  let notes = Notes()
  try AsyncIO.run {
    DispatchQueue.main.async { notes.add("ran") }
    for _ in 0..<50 { try await sleep(for: .milliseconds(1)) }
  }
  fact("notes", notes.all)
}

/// Where Dispatch gets no descriptor, the run goes on without it.
private func dispatchMainNoDescriptors() throws {
  let loop = SelectorEventLoop(selector: try Selectors.poll())
  close(STDIN_FILENO)
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  var narrow = limit
  // One number is free, and it is not for Dispatch.
  let (standard, lowest) = (dup(STDOUT_FILENO), dup(STDOUT_FILENO))
  close(lowest)
  close(standard)
  narrow.rlim_cur = rlim_t(lowest)
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &narrow)
  fact("run", try AsyncIO.run(loopFactory: { loop }) { 7 })
  setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  try AsyncIO.run { await withCheckedContinuation { done in DispatchQueue.main.async { done.resume() } } }
  fact("later", "served")
}

/// With standard input closed, Dispatch does not take its number.
private func dispatchMainStandardNumber() throws {
  // What runs keep besides must have another number already.
  setenv("ASYNCIO_DISPATCH_MAIN", "0", 1)
  try AsyncIO.run {}
  unsetenv("ASYNCIO_DISPATCH_MAIN")
  close(STDIN_FILENO)
  try AsyncIO.run { await withCheckedContinuation { done in DispatchQueue.main.async { done.resume() } } }
  fact("descriptor 0", fcntl(STDIN_FILENO, F_GETFD) < 0 ? "free" : "taken")
}
