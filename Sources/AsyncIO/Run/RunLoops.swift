/// Run the body once on each of several loops, one thread each, and return the values in the order of the loops. One
/// loop per core; the loops share nothing, so what belongs to one of them needs no locks. Answers what uvicorn's
/// workers are for, in one process.
///
/// Loop 0 runs in the calling thread and has what ``run(debug:loopFactory:_:)-1uncn`` gives to its one loop: the main
/// actor, and whatever comes from threads without a loop. A job stays on the loop of the thread that made it: a plain
/// `Task { }`, an `async` function without isolation, a default actor and `Task.sleep` go on where they were called.
/// The bodies and the tasks of `createTask` and of servers return to their loop, whatever thread resumes them; a plain
/// task does not, and goes on where it was resumed.
///
/// **The end.** The loops go on until all bodies have ended, so a loop whose body has nothing left to do still serves
/// the others. Then the remaining tasks of all loops are cancelled and awaited, before the first loop is closed; the
/// default executors are shut down, the loops closed, the threads joined. The first error that a body throws cancels
/// the other bodies, and is thrown when they have ended; other errors go to the exception handlers of their loops,
/// unless they say the same. Ctrl-C cancels all bodies, as it cancels the one body of a ``Runner``.
///
/// Every loop is made before the first body begins, in the calling thread. `loops: 1` is
/// ``run(debug:loopFactory:_:)-1uncn``.
///
/// - Parameters:
///   - count: 1 to 1024; ``LoopGroup/availableProcessors`` for one per core.
///   - debug: turns the debug mode of all loops on or off; nil leaves what `ASYNCIO_DEBUG` says.
///   - loopFactory: makes a loop, a different one each time; nil is the current policy, which then also has each loop
///     set as current in its thread, and unset at the end.
///   - body: runs once on each loop, in that loop's thread; it is given the group, which says which loop it is.
/// - Throws: code `invalidArgument` for a count that is out of range, what ``run(debug:loopFactory:_:)-1uncn`` throws,
///   ``LoopStartError``.
@discardableResult
public func run<Value: Sendable>(
  loops count: Int, debug: Bool? = nil, loopFactory: (() throws -> any EventLoop)? = nil,
  _ body: @escaping @Sendable (LoopGroup) async throws -> Value
) throws -> [Value] {
  try refuseInsideRun("AsyncIO.run")
  guard (1...1024).contains(count) else {
    throw EventLoopError(
      .invalidArgument,
      "run: loops is \(count). Give 1 to 1024; LoopGroup.availableProcessors is one for each core.")
  }
  let values = SharedValues(count: count)
  if count == 1 {
    return [
      try run(debug: debug, loopFactory: loopFactory) {
        try await body(LoopGroup(index: 0, loops: [getRunningLoop()], values: values))
      }
    ]
  }
  let policy = loopFactory == nil ? getEventLoopPolicy() : nil
  let loops = try makeLoops(count) { () throws -> any EventLoop in
    guard let loop = try loopFactory?() ?? policy?.newEventLoop() else { preconditionFailure("one of them is there") }
    return loop
  }
  if let debug { for loop in loops { loop.isDebug = debug } }
  return try LoopTeam(loops, policy, values).run(body)
}

/// Make all of them, or none.
private func makeLoops(_ count: Int, _ make: () throws -> any EventLoop) throws -> [BaseEventLoop] {
  var loops: [BaseEventLoop] = []
  do {
    for index in 0..<count {
      do { loops.append(try check(make(), among: loops)) } catch { throw LoopStartError(index, error) }
    }
  } catch {
    for loop in loops { try? loop.close() }
    throw error
  }
  return loops
}

/// Check that a loop can run beside others.
private func check(_ loop: any EventLoop, among others: [BaseEventLoop]) throws -> BaseEventLoop {
  if loop.isClosed { throw EventLoopError.closed("run(loops:)") }
  if loop.isRunning {
    throw EventLoopError(.alreadyRunning, "run(loops:): the loop is already running. Make a new one each time.")
  }
  if others.contains(where: { $0 === loop }) {
    throw EventLoopError(.invalidArgument, "run(loops:): the same loop was given twice. Make a new one each time.")
  }
  do {
    let core = try loop.core(for: "run(loops:)")
    guard core.capabilities.contains(.threads) else {
      throw EventLoopError(
        .notOffered, "run(loops:): a loop over \(core.backendName) has no other threads. Run it alone.")
    }
    return core
  } catch {
    try? loop.close()
    throw error
  }
}

/// One of several loops could not be made, or could not get a thread. The others have been closed, and no body has
/// begun.
public struct LoopStartError: Error, CustomStringConvertible {
  /// The index of the loop, counted from 0.
  public let index: Int
  /// The error that stopped it.
  public let cause: any Error

  init(_ index: Int, _ cause: any Error) { (self.index, self.cause) = (index, cause) }

  /// The index and the cause in words.
  public var description: String { "loop \(index) could not be started: \(cause)" }
}
