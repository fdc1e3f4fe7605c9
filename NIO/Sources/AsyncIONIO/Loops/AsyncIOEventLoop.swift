@_spi(Channels) public import AsyncIO
public import Dispatch
public import NIOCore
internal import Synchronization

// A loop of AsyncIO as NIO knows loops. There is one object for each loop below, however often it is asked for, because
// NIO compares loops by their identity.
//
// - Both are one isolation domain: `executor` is the loop's own, so an actor of one is an actor of the other, and a
//   call between them stays in the thread.
// - Time is the loop's. On a real loop that is the clock of `NIODeadline.now()`; in a simulation it is virtual, and
//   code that asks `NIODeadline.now()` instead of `eventLoop.now` leaves the simulation.

/// A loop of `AsyncIO` in the role of NIO's `EventLoop`. Channels on it come from ``AsyncIOServerBootstrap`` and
/// ``AsyncIOClientBootstrap``. Any thread.
public final class AsyncIOEventLoop: NIOCore.EventLoop, @unchecked Sendable {
  /// The loop below.
  public let base: BaseEventLoop
  private let serial: any SerialExecutor
  private let isShutDown = Atomic<Bool>(false)
  private let epilogue = Epilogue()
  let callbacks = ScheduledCallbacks()

  /// The channels that are registered, by a number that says in which order: the end of the loop must not depend on
  /// addresses in memory. For the loop's thread, which makes the class's unchecked conformance right.
  private(set) var channels: [Int: BaseChannel] = [:]
  private var nextNumber = 0
  private var knowsOfEnd = false

  // Loops are few and live long; a look-up is for their makers.
  private static let known = Mutex<[ObjectIdentifier: Weak]>([:])
  private struct Weak: Sendable { weak let loop: AsyncIOEventLoop? }

  private init(_ base: BaseEventLoop) {
    self.base = base
    serial = base.serialExecutor
  }

  /// Return the NIO loop over a loop of `AsyncIO`: the same for the same loop. Traps for an `EventLoop` of another
  /// make, which is not derived from `BaseEventLoop`. Any thread.
  public static func over(_ loop: any AsyncIO.EventLoop) -> AsyncIOEventLoop {
    guard let base = loop as? BaseEventLoop else {
      preconditionFailure("\(type(of: loop)) is not a BaseEventLoop. NIO's channels need one of AsyncIO's own loops.")
    }
    return known.withLock { known in
      if let loop = known[ObjectIdentifier(base)]?.loop, loop.base === base { return loop }
      known = known.filter { $0.value.loop != nil }
      let loop = AsyncIOEventLoop(base)
      known[ObjectIdentifier(base)] = Weak(loop: loop)
      return loop
    }
  }

  /// The NIO loop over the loop that runs in this thread; throws code `noRunningLoop` if there is none.
  public static func running() throws -> AsyncIOEventLoop { over(try getRunningLoop()) }

  // MARK: Threads

  /// True in the thread that runs the loop, while it runs. After its end, in a thread that stands in for it.
  public var inEventLoop: Bool { base.isInThisThread || (base.isClosed && epilogue.isInThisThread) }

  /// Trap outside of the loop's thread.
  public func preconditionInEventLoop(file: StaticString, line: UInt) {
    precondition(inEventLoop, "this belongs to the thread that runs the event loop", file: file, line: line)
  }

  /// Trap in the loop's thread.
  public func preconditionNotInEventLoop(file: StaticString, line: UInt) {
    precondition(!inEventLoop, "this must not be called in the thread of the event loop", file: file, line: line)
  }

  /// Refuse a wait that would never end.
  public func _preconditionSafeToWait(file: StaticString, line: UInt) {
    precondition(
      !inEventLoop,
      "wait() in the thread of the event loop would wait for itself. Use `get()` in a task, or whenComplete.",
      file: file, line: line)
  }

  /// The loop's serial executor: actors of NIO and of AsyncIO that use it are one isolation domain.
  public var executor: any SerialExecutor { serial }
  /// Run a job on it.
  public func enqueue(_ job: consuming ExecutorJob) { serial.enqueue(job) }

  // MARK: Callbacks

  /// Run the task in the loop's thread, in the next turn. If the loop has ended, or ends before, the task runs in a
  /// thread that stands in for it: callbacks of futures come this way.
  public func execute(_ task: @escaping @Sendable () -> Void) {
    post(task) { self.epilogue.execute(task) }
  }

  public func _executeIsolatedUnsafeUnchecked(_ task: @escaping () -> Void) {
    nonisolated(unsafe) let task = task  // the caller is in the loop's thread, and so is the call
    execute { task() }
  }

  /// Run the task in the loop's thread; the future has its result. Fails with `EventLoopError.shutdown` if the loop has
  /// ended or ends before.
  public func submit<T>(_ task: @escaping @Sendable () throws -> T) -> EventLoopFuture<T> {
    let promise = makePromise(of: T.self)
    post {
      promise.assumeIsolated().completeWith(Result { try task() })
    } dropped: {
      promise.fail(NIOCore.EventLoopError.shutdown)
    }
    return promise.futureResult
  }

  /// Queue a body. If the loop is closed, or closes before the body's turn, the other one runs instead.
  func post(_ body: @escaping @Sendable () -> Void, dropped: @escaping @Sendable () -> Void = {}) {
    let task = PostedTask(body, dropped: dropped)
    // What is refused is released here.
    if inEventLoop { _ = try? base.callSoon { task.run() } } else { _ = try? base.callSoonThreadsafe { task.run() } }
  }

  // MARK: Time

  /// The time of the loop's clock: `NIODeadline.now()` on a real loop, virtual in a simulation.
  public var now: NIODeadline { .uptimeNanoseconds(UInt64(max(0, base.time().nanoseconds))) }

  /// Run the task at a time of the loop's clock, or in the next turn if that is past.
  public func scheduleTask<T>(
    deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    let promise = makePromise(of: T.self)
    let work = ScheduledWork {
      promise.assumeIsolated().completeWith(Result { try task() })
    } dropped: {
      promise.fail(NIOCore.EventLoopError.shutdown)
    }
    // Without a timer the work is dropped, and fails.
    work.schedule(at: deadline, on: self)
    return Scheduled(promise: promise, cancellationTask: { [weak work] in work?.cancel(on: self) })
  }

  /// Run the task after a time.
  public func scheduleTask<T>(
    in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T
  ) -> Scheduled<T> {
    scheduleTask(deadline: now + delay, task)
  }

  // MARK: The end

  /// True until a shutdown has begun or the loop below is closed.
  var isOpen: Bool { !isShutDown.load(ordering: .relaxed) && !base.isClosed }

  /// Return the number under which the channel is known from here on.
  func add(_ channel: BaseChannel) -> Int {
    if !knowsOfEnd {
      knowsOfEnd = true
      epilogue.hold()
      base.whenItCloses { [weak self] in self?.baseCloses() }
    }
    defer { nextNumber += 1 }
    channels[nextNumber] = channel
    return nextNumber
  }
  func remove(_ number: Int) { channels[number] = nil }

  /// Close the channels, and take no more. The loop below goes on: it belongs to the code that made it.
  public func shutdownGracefully(queue: DispatchQueue, _ callback: @Sendable @escaping ((any Error)?) -> Void) {
    shutDown { queue.async { callback(nil) } }
  }

  /// Close the channels, and take no more. Without a queue of Dispatch, which a simulated world has not.
  public func shutdownGracefully() async throws {
    await withCheckedContinuation { continuation in shutDown { continuation.resume() } }
  }

  /// Close the channels, and call the body when they have told their handlers.
  func shutDown(_ ended: @escaping @Sendable () -> Void) {
    isShutDown.store(true, ordering: .relaxed)
    post {
      // A channel lets its handlers go in the turn after its close.
      EventLoopFuture.andAllComplete(self.closeChannels(), on: self).whenComplete { _ in ended() }
    } dropped: {
      ended()
    }
  }

  /// The loop below closes, and nobody has shut this one down: tell the handlers, and keep the channels' promises.
  private func baseCloses() {
    isShutDown.store(true, ordering: .relaxed)
    epilogue.release { _ = self.closeChannels() }
  }

  private func closeChannels() -> [EventLoopFuture<Void>] {
    let channels = channels.sorted { $0.key < $1.key }.map(\.value)
    for channel in channels { channel.close(promise: nil) }
    return channels.map(\.closeFuture)
  }
}

extension AsyncIOEventLoop: CustomStringConvertible {
  /// What it is over.
  public var description: String { "AsyncIOEventLoop over \(base.backendName)" }
}
