import AsyncIO
import POSIX

nonisolated(unsafe) let loopsEndCases: [String: () throws -> Void] = [
  "loops-fail": loopsFail,
  "loops-cancelled": loopsCancelled,
  "loops-stopped": loopsStopped,
  "loops-leftovers": loopsLeftovers,
  "loops-bad-factory": loopsBadFactory,
  "loops-signals": loopsSignals,
  "loops-leave-nothing": loopsLeaveNothing,
]

private struct Failure: Error, CustomStringConvertible {
  var description = "no coffee left"
}

/// What a run throws.
private func end<Value>(_ name: String, _ body: () throws -> Value) {
  do { fact(name, try body()) } catch let error as EventLoopError { fact(name, error.code) } catch {
    fact(name, "\(type(of: error)): \(error)")
  }
}

/// Note what loops are told of errors.
private func report(to notes: Notes, of group: LoopGroup) {
  group.loop.exceptionHandler = { _, context in
    notes.add("told of: \(context.exception.map { "\($0)" } ?? "nothing")")
  }
}

private func loopsFail() throws {
  let notes = Notes()
  let barrier = try Barrier(4)
  end("ended with") {
    try AsyncIO.run(loops: 4) { group in
      report(to: notes, of: group)
      // A body that is cancelled before it has begun never does.
      try await barrier.wait()
      if group.index == 1 { throw Failure() }
      do { try await sleep(for: .seconds(3600)) } catch {
        await Task.yield()
        notes.add("\(group.index) cleaned up")
        // The second one fails in its own way, the third one says the same as the first.
        if group.index == 2 { throw Failure(description: "no tea left") }
        if group.index == 3 { throw Failure() }
        throw error
      }
    }
  }
  fact("notes", notes.all)
  end("value in time") {
    try AsyncIO.run(loops: 2) { group in
      if group.index == 1 { throw Failure() }
      try? await sleep(for: .seconds(3600))
      return 5
    }
  }
}

/// A body that cancels itself cancels the others.
private func loopsCancelled() throws {
  end("ended with") {
    try AsyncIO.run(loops: 2) { group in
      if group.index == 1 { currentTask()?.cancel() }
      try await sleep(for: .seconds(3600))
    }
  }
}

/// A loop that is stopped, or ended by an interrupt, takes the others with it.
private func loopsStopped() throws {
  for index in 0..<2 {
    let notes = Notes()
    let barrier = try Barrier(2)
    end("stopped \(index)") {
      try AsyncIO.run(loops: 2) { group in
        try await barrier.wait()
        if group.index == index { group.loop.stop() }
        do { try await sleep(for: .seconds(3600)) } catch {
          notes.add("\(group.index) cleaned up")
          throw error
        }
      }
    }
    fact("notes \(index)", notes.all)
    end("interrupt \(index)") {
      try AsyncIO.run(loops: 2) { group in
        if group.index == index { try group.loop.callSoon { throw KeyboardInterrupt() } }
        try await sleep(for: .seconds(3600))
      }
    }
  }
  fact("again", try AsyncIO.run(loops: 2) { $0.index })
}

/// Tasks that are left are cancelled and awaited while all loops still turn: one waits for a task of the other loop,
/// which has to end first.
private func loopsLeftovers() throws {
  let notes = Notes()
  let barrier = try Barrier(4)
  try AsyncIO.run(loops: 2) { group in
    report(to: notes, of: group)
    let other = group.loops[1 - group.index]
    let helper = try other.runCoroutineThreadsafe {
      try await barrier.wait()
      do { try await sleep(for: .seconds(3600)) } catch {
        for _ in 0..<50 { await Task.yield() }
        notes.add("helper of \(group.index) cleaned up")
      }
    }
    try group.loop.createTask(name: "left over") {
      try? await helper.get()
      notes.add("\(group.index) saw it end: \(helper.isDone)")
      throw Failure()
    }
    try await barrier.wait()
  }
  fact("notes", notes.all)
}

/// A factory that fails, or gives what cannot be used, for the second loop.
private func loopsBadFactory() throws {
  let descriptors = descriptorCount()
  func refusal(_ name: String, _ second: @escaping (any EventLoop) throws -> any EventLoop) {
    var first: (any EventLoop)?
    do {
      try AsyncIO.run(
        loops: 2,
        loopFactory: {
          if let first { return try second(first) }
          first = try SelectorEventLoop()
          return first!
        }
      ) { _ in fact("\(name) body", "ran") }
    } catch let error as LoopStartError {
      fact(name, "\(error.index): \((error.cause as? EventLoopError).map { "\($0.code)" } ?? "\(error.cause)")")
      fact("\(name) text", error)
    } catch { fact(name, error) }
    fact("\(name) closed", first?.isClosed == true)
  }
  refusal("fails") { _ in throw Failure() }
  refusal("same") { $0 }
  refusal("closed") { _ in
    let loop = try SelectorEventLoop()
    try loop.close()
    return loop
  }
  fact("descriptors", descriptorCount() - descriptors)
  fact("loops", LiveCounters.snapshot["loops"] ?? -1)
  fact("again", try AsyncIO.run(loops: 2) { $0.index })
}

/// A handler of a signal is called in the loop that added it.
private func loopsSignals() throws {
  let places = try AsyncIO.run(loops: 2) { group in
    let handled = group.loop.createFuture(of: Bool.self)
    let loop = group.loop
    try loop.addSignalHandler(SIGTERM) { try? handled.setResult((try? getRunningLoop()) === loop) }
    _ = try await group.run(on: 1 - group.index) {}
    if group.index == 0 {
      // Both have their handlers when both have been through here.
      _ = try await group.shared { true }
      kill(getpid(), SIGTERM)
    } else {
      _ = try await group.shared { true }
    }
    return try await handled.get()
  }
  fact("places", places)
}

/// Count what is alive before and after many runs that ended well and badly.
private func loopsLeaveNothing() throws {
  let own = dlsym(nil, "__tsan_init") == nil ? 1 : 2
  try useLoops()
  settle(own)
  let (descriptors, before) = (descriptorCount(), LiveCounters.snapshot)
  for _ in 0..<30 { try useLoops() }
  settle(own)
  fact("descriptors", descriptorCount() - descriptors)
  fact("threads", threadCount() - own)
  fact("counters", LiveCounters.snapshot == before ? "same" : "\(LiveCounters.snapshot)")
}

private func useLoops() throws {
  try AsyncIO.run(loops: 3) { group in
    try group.loop.createTask { try await sleep(for: .seconds(3600)) }
    Task { try await Task.sleep(for: .nanoseconds(1)) }
    let value = try await group.loop.runInExecutor { 5 }.get()
    _ = try await group.shared { value }
    _ = try await group.run(on: (group.index + 1) % 3) { try await sleep(for: .zero) }
  }
  _ = try? AsyncIO.run(loops: 2) { group in
    if group.index == 1 { throw Failure() }
    try await sleep(for: .seconds(3600))
  }
}
