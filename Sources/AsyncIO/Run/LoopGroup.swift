internal import CAsyncIO

/// The loops that ``AsyncIO/run(loops:debug:loopFactory:_:)`` runs together, as one of their bodies sees them.
///
/// ```swift
/// try AsyncIO.run(loops: LoopGroup.availableProcessors) { group in
///   let listener = try await StreamListener.bind(port: 7000, sharedBy: group)
///   try await listener.serve { connection in … }
/// }
/// ```
/// Loops share nothing but what the program shares. What is made in a body belongs to its loop; connections go to
/// another one by ``StreamConnection/move(to:)``, work by ``run(on:_:)``. Any thread.
public struct LoopGroup: Sendable {
  /// Which of the loops runs this body: 0 is the one of the calling thread, which has the main actor.
  public let index: Int
  /// All of them.
  public let loops: [any EventLoop]
  let values: SharedValues

  init(index: Int, loops: [any EventLoop], values: SharedValues) {
    (self.index, self.loops, self.values) = (index, loops, values)
  }

  /// How many loops there are.
  public var count: Int { loops.count }

  /// The loop of this body.
  public var loop: any EventLoop { loops[index] }

  /// How many processors this program may use, as its affinity says (`taskset`, a container's set of processors); at
  /// least 1. A share of processor time (a quota of cgroups) is not counted in. Answers `os.process_cpu_count()`.
  public static var availableProcessors: Int { Int(casyncio_available_processors()) }

  /// Runs the body as a task of another loop of the group, and suspends until it has ended. Cancelling the caller
  /// cancels the body.
  ///
  /// Throws what the body throws; code `invalidArgument` for an index that no loop has, `closed` when that loop is closed
  /// before the body has ended.
  public func run<Value: Sendable>(
    on index: Int, _ body: sending @escaping () async throws -> Value
  ) async throws -> Value {
    try await checkpoint()
    guard loops.indices.contains(index) else {
      throw EventLoopError(
        .invalidArgument, "run(on:): there is no loop \(index). The group has \(count), counted from 0.")
    }
    return try await loops[index].runCoroutineThreadsafe(body).get()
  }

  /// A value that the body of loop 0 makes and all bodies get: a port, a table, a key.
  ///
  /// Every body calls this as many times and in the same order; that is how the calls find each other. In loop 0 it runs
  /// the closure, in the others it waits for the result. An error is thrown in all of them.
  ///
  /// Throws what the closure throws; `CancellationError`; code `invalidState` when the body of loop 0 has ended without
  /// this call, or made a value of another type.
  public func shared<Value: Sendable>(_ make: () async throws -> Value) async throws -> Value {
    let call = values.beginCall(of: index)
    guard index == 0 else { return try await values.wait(for: call, on: loop) }
    do {
      try await checkpoint()
      let value = try await make()
      values.set(.success(value), for: call)
      return value
    } catch {
      values.set(.failure(error), for: call)
      throw error
    }
  }
}
