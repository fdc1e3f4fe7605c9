@_spi(Channels) public import AsyncIO
public import Dispatch
public import NIOCore
internal import Synchronization

/// Loops of `AsyncIO` in the role of NIO's `EventLoopGroup`. Any thread.
///
/// ```swift
/// let group = try AsyncIOEventLoopGroup(numberOfThreads: 2) { try ProactorEventLoop() }
/// defer { try? group.syncShutdownGracefully() }
/// ```
public final class AsyncIOEventLoopGroup: EventLoopGroup, Sendable {
  private let loops: [AsyncIOEventLoop]
  private let turn = Atomic<Int>(0)
  /// The threads that the group has started; nil if the loops are others'.
  private let threads: OwnThreads?

  /// Take loops that somebody else runs and closes, as those of `AsyncIO.run(loops:)`. At least one.
  public init(_ loops: [any AsyncIO.EventLoop]) {
    precondition(!loops.isEmpty, "a group needs at least one loop")
    self.loops = loops.map { AsyncIOEventLoop.over($0) }
    threads = nil
  }

  /// Take the loops of a run.
  public convenience init(_ group: LoopGroup) { self.init(group.loops) }

  /// Make loops and run each in a thread of its own, until the group is shut down. Throws what the maker throws, and
  /// `IOError` if the system has no thread left; nothing is left then.
  ///
  /// - Parameters:
  ///   - numberOfThreads: at least 1.
  ///   - makeLoop: makes a loop; the policy's kind if it is not given.
  public init(
    numberOfThreads: Int, makeLoop: () throws -> any AsyncIO.EventLoop = { try newEventLoop() }
  ) throws {
    precondition(numberOfThreads > 0, "numberOfThreads is \(numberOfThreads). Give at least 1.")
    var loops: [AsyncIOEventLoop] = []
    do {
      for _ in 0..<numberOfThreads { loops.append(AsyncIOEventLoop.over(try makeLoop())) }
    } catch {
      for loop in loops { try? loop.base.close() }
      throw error
    }
    self.loops = loops
    let threads = OwnThreads(numberOfThreads)
    self.threads = threads
    for (index, loop) in loops.enumerated() {
      do {
        try loop.base.runInThread { threads.ended($0) }
      } catch {
        for loop in loops[index...] { try? loop.base.close() }
        for loop in loops[..<index] { loop.base.stop() }
        throw error
      }
    }
  }

  /// The loops, in turns.
  public func next() -> any NIOCore.EventLoop {
    let index = turn.wrappingAdd(1, ordering: .relaxed).oldValue
    return loops[Int(UInt(bitPattern: index) % UInt(loops.count))]
  }

  /// The loop of this thread if it is one of the group, else the next one.
  public func any() -> any NIOCore.EventLoop { loops.first { $0.inEventLoop } ?? next() }

  /// All loops.
  public func makeIterator() -> EventLoopIterator { EventLoopIterator(loops) }

  // MARK: The end

  /// Close the channels of all loops; end the loops if they are the group's. The callback comes when that is done. A
  /// second call waits for the same end.
  public func shutdownGracefully(queue: DispatchQueue, _ callback: @Sendable @escaping ((any Error)?) -> Void) {
    shutDown { error in queue.async { callback(error) } }
  }

  /// Close the channels of all loops; end the loops if they are the group's. Without a queue of Dispatch, which a
  /// simulated world has not.
  public func shutdownGracefully() async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      shutDown { error in
        if let error { continuation.resume(throwing: error) } else { continuation.resume() }
      }
    }
  }

  private func shutDown(_ done: @escaping @Sendable ((any Error)?) -> Void) {
    guard let threads else {
      let count = LeftOver(loops.count) { done(nil) }
      for loop in loops { loop.shutDown { count.one() } }
      return
    }
    if threads.shallEnd(done) {
      for loop in loops { loop.shutDown { loop.base.stop() } }
    }
  }
}

/// The threads of a group, until the last one has ended. Any thread.
private final class OwnThreads: Sendable {
  private struct State {
    var running: Int
    var isEnding = false
    var waiting: [@Sendable ((any Error)?) -> Void] = []
    var failure: (any Error)?
  }

  private let state: Mutex<State>

  init(_ count: Int) { state = Mutex(State(running: count)) }

  /// Note who wants to know of the end. Returns `true` to the first one, who has to bring it about.
  func shallEnd(_ done: @escaping @Sendable ((any Error)?) -> Void) -> Bool {
    let (isFirst, over) = state.withLock { state -> (Bool, (@Sendable () -> Void)?) in
      guard state.running > 0 else { return (false, { [failure = state.failure] in done(failure) }) }
      state.waiting.append(done)
      defer { state.isEnding = true }
      return (!state.isEnding, nil)
    }
    over?()
    return isFirst
  }

  func ended(_ error: (any Error)?) {
    let (waiting, failure) = state.withLock { state in
      state.running -= 1
      state.failure = state.failure ?? error
      guard state.running == 0 else { return ([@Sendable ((any Error)?) -> Void](), state.failure) }
      defer { state.waiting = [] }
      return (state.waiting, state.failure)
    }
    for tell in waiting { tell(failure) }
  }
}

/// Calls a body when a number of things have happened.
private final class LeftOver: Sendable {
  private let left: Atomic<Int>
  private let body: @Sendable () -> Void

  init(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    left = Atomic(count)
    self.body = body
  }

  func one() {
    if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { body() }
  }
}
