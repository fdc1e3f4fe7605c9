/// Run the body on a loop of its own, on a thread of its own, and suspend the caller until the body has ended. This is
/// the form of ``run(debug:loopFactory:_:)-1uncn`` for code that is already in a task, as all code is under an `async`
/// main.
///
/// ```swift
/// @main struct Fetch: AsyncParsableCommand {
///   func run() async throws {
///     try await AsyncIO.run {
///       let connection = try await StreamConnection.connect(host: "127.0.0.1", port: 7000)
///       …
///     }
///   }
/// }
/// ```
/// The loop has a scope instead of the process: the body, its child tasks and what `createTask` makes are on it; the
/// main actor and a plain `Task { }` stay where they are. It is made by `loopFactory`, or by the current policy, which
/// then also has it set as current in its thread and unset at the end. Afterwards the tasks of `createTask` are
/// cancelled and awaited, the default executor is shut down (within at most 300 seconds), and the loop is closed,
/// whatever ended the run.
///
/// Cancelling the caller cancels the body. Ctrl-C is left alone, because it belongs to the main thread, and this is not
/// the main thread: use `addSignalHandler`.
///
/// Any number of these runs may go on at a time, even nested. Throws what the body throws, and what making a loop
/// throws; code `notOffered` if the running loop has no other threads, as in a simulation.
public func run<Value: Sendable>(
  debug: Bool? = nil, loopFactory: (() throws -> any EventLoop)? = nil,
  _ body: sending @escaping () async throws -> Value
) async throws -> Value {
  if let running = LoopIntake.running?.core, !running.capabilities.contains(.threads) {
    throw EventLoopError(
      .notOffered, "AsyncIO.run: a loop over \(running.backendName) has no other threads. Await the code directly.")
  }
  let policy = loopFactory == nil ? getEventLoopPolicy() : nil
  guard let loop = try loopFactory?() ?? policy?.newEventLoop() else { preconditionFailure("one of them is there") }
  if let debug { loop.isDebug = debug }
  let outcome: Result<Value, any Error>
  do {
    outcome = .success(
      try await loop.run {
        policy?.setEventLoop(loop)
        defer { policy?.setEventLoop(nil) }
        return try await body()
      })
  } catch {
    outcome = .failure(error)
  }
  // A task of its own, so that a cancelled caller does not cut the end short.
  await Task { await end(loop) }.value
  return try outcome.get()
}

/// Cancel what is left on a loop, wait for it, and close the loop.
private func end(_ loop: any EventLoop) async {
  // The program may have closed it; then there is nothing left to wait for.
  if !loop.isClosed {
    try? await loop.run {
      await endTasks(of: loop)
      await loop.shutdownDefaultExecutor(timeout: .seconds(300))
    }
  }
  try? loop.close()
}
