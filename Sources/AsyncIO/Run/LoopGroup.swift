internal import CAsyncIO

/// The loops that ``AsyncIO/run(loops:debug:loopFactory:_:)`` runs together, as one of their bodies sees them.
///
/// ```swift
/// try AsyncIO.run(loops: LoopGroup.availableProcessors) { group in
///   let listener = try await StreamListener.bind(port: 7000, sharedBy: group)
///   try await listener.serve { connection in … }
/// }
/// ```
/// Loops share only what the program shares. What is made in a body belongs to its loop; ``StreamConnection/move(to:)``
/// moves a connection to another loop, and ``run(on:_:)`` runs work there. Any thread.
public struct LoopGroup: Sendable {
  /// The index of the loop that runs this body: loop 0 runs in the calling thread and has the main actor.
  public let index: Int
  /// All loops of the group.
  public let loops: [any EventLoop]
  let values: SharedValues

  init(index: Int, loops: [any EventLoop], values: SharedValues) {
    (self.index, self.loops, self.values) = (index, loops, values)
  }

  /// The number of loops.
  public var count: Int { loops.count }

  /// The loop that runs this body.
  public var loop: any EventLoop { loops[index] }

  /// The number of processors that this program may use by its affinity (`taskset`, a container's set of processors),
  /// at least 1. Quotas of processor time (cgroups) are not taken into account. Answers `os.process_cpu_count()`.
  public static var availableProcessors: Int { Int(casyncio_available_processors()) }

  /// Run the body as a task of another loop of the group, and suspend until it has ended. Cancelling the caller cancels
  /// the body.
  ///
  /// Throws what the body throws; code `invalidArgument` if there is no loop with this index, `closed` if that loop is
  /// closed before the body has ended.
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

  /// Share a value that the body of loop 0 makes with all bodies: a port, a table, a key.
  ///
  /// Every body makes the same calls in the same order; the calls are matched by that order. In loop 0 the closure
  /// runs, in the others the call waits for its result. An error is thrown in all of them.
  ///
  /// Throws what the closure throws; `CancellationError`; code `invalidState` if the body of loop 0 ended without this
  /// call, or made a value of another type.
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
