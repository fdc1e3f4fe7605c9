internal import CAsyncIO
internal import SystemPackage

/// A child process of an event loop. Answers asyncio's `Process`, made by `create_subprocess_exec` and
/// `create_subprocess_shell`.
///
/// ```swift
/// let child = try await ChildProcess.spawn("sort", standardInput: .pipe, standardOutput: .pipe)
/// let (sorted, _) = try await child.communicate("b\na\n")
/// ```
///
/// **Who owns the child.** This object does. When it is closed or goes away while the child runs, the child is killed
/// with SIGKILL and its status is taken, so nothing is left of it; the same happens when the loop is closed. A child
/// that leads a process group takes its group along, even if it has ended before: until then the system keeps its entry
/// (a zombie), and with it the number of the group. To let a child outlive this program, start it by something that
/// outlives this program as well.
///
/// **Threads.** Methods may be called from any task in any thread. A task that waits is resumed where it was.
public final class ChildProcess: Sendable {
  let core: BaseEventLoop
  let watch: ChildWatch

  /// The pipe that the child reads from; nil unless `standardInput` is `.pipe`.
  public let standardInput: PipeWriter?
  /// The pipe that the child writes to; nil unless `standardOutput` is `.pipe`.
  public let standardOutput: PipeReader?
  /// The pipe that the child writes its errors to; nil unless `standardError` is `.pipe`.
  public let standardError: PipeReader?

  /// Take over a child that was just started, with its descriptors.
  init(_ child: SpawnedChild, on core: BaseEventLoop) throws {
    self.core = core
    watch = ChildWatch(child, on: core)
    var ends = [child.input, child.output, child.error]
    // The descriptors that no pipe has taken before an error are closed here; the watch's deinit kills the child.
    defer { for end in ends { closeNumber(end) } }
    func take<End>(_ index: Int, _ make: (Int32, BaseEventLoop, String) throws -> End) throws -> End? {
      guard ends[index] >= 0 else { return nil }
      let end = try make(ends[index], core, "spawn")
      ends[index] = -1
      return end
    }
    do {
      standardInput = try take(0, PipeWriter.init(_:on:for:))
      standardOutput = try take(1, PipeReader.init(_:on:for:))
      standardError = try take(2, PipeReader.init(_:on:for:))
    } catch {
      watch.kill()
      throw error
    }
  }

  deinit { watch.kill() }

  /// The event loop of the child.
  public var loop: any EventLoop { core }

  /// The system's number of the child. After the child has ended it may be another process's. Answers `pid`.
  public var processIdentifier: Int32 { watch.process }

  /// How the child ended; nil while it runs. It is set when the loop has seen the end, which `wait()` waits for.
  /// Answers `returncode`.
  public var terminationStatus: TerminationStatus? { watch.status }

  // MARK: Waiting

  /// Wait until the child has ended. Any number of tasks may wait, and if the child has ended this returns at once. It
  /// does not wait for pipes: what the child has written can still be read, and a grandchild that has a pipe goes on
  /// writing.
  ///
  /// A child that fills a pipe that is not read never ends: see ``communicate(_:limit:)-([UInt8],_)``.
  ///
  /// Throws `CancellationError`, which leaves the child running, and code `closed` when the loop is closed.
  @discardableResult
  public func wait() async throws -> TerminationStatus {
    try await checkpoint()
    if watch.status == nil { await watch.wait() }
    if let status = watch.status { return status }
    try Task.checkCancellation()
    throw EventLoopError.closed("wait")
  }

  // MARK: Signals

  /// Send a signal. If the child has ended, this does nothing and returns `false`: the number is never signalled when
  /// it may be another process's. asyncio throws `ProcessLookupError` then. Answers `send_signal`.
  ///
  /// Throws code `invalidArgument` for a number that is not a signal; ``IOError`` `.notPermitted` for a child that runs
  /// as another user.
  @discardableResult
  public func sendSignal(_ signal: Int32) throws -> Bool { try watch.send(signal) }

  /// Ask the child to end, by SIGTERM, which it may handle or ignore. See ``sendSignal(_:)``.
  @discardableResult
  public func terminate() throws -> Bool { try sendSignal(SIGTERM) }

  /// Ask the child to end, give it a time for that, kill it if it still runs then, and return how it ended. Its pipes
  /// and its process group are left to ``close()``.
  ///
  /// If the task is cancelled, before or meanwhile, the child is killed at once and awaited, and `CancellationError` is
  /// thrown. With a time of zero or less the child is killed in the next turn. Throws as ``sendSignal(_:)``, and code
  /// `closed` when the loop is closed.
  @discardableResult
  public func terminate(grace: Duration) async throws -> TerminationStatus {
    try terminate()
    let timer = TimeLimit(until: core.time().advanced(by: grace), on: core) { [watch] end in
      if end == .timedOut { _ = try? watch.send(SIGKILL) }
    }
    defer { timer.cancel() }
    if watch.status == nil { await watch.wait() }
    if watch.status == nil, isCurrentTaskCancelled() {
      try kill()
      await watch.waitToEnd()
      try checkCancellation()
    }
    if let status = watch.status { return status }
    throw EventLoopError.closed("terminate")
  }

  /// End the child by SIGKILL, which it cannot ignore. See ``sendSignal(_:)``.
  @discardableResult
  public func kill() throws -> Bool { try sendSignal(SIGKILL) }

  /// Kill the child if it still runs, and any process group that it leads, close the pipes, and let the loop take the
  /// status. Does not wait: `wait()` does. Idempotent, any thread.
  public func close() {
    watch.kill()
    standardInput?.close()
    standardOutput?.close()
    standardError?.close()
  }
}

extension ChildProcess: CustomStringConvertible {
  /// How logs show it: "ChildProcess 4711 (running)", "ChildProcess 4711 (exited with status 0)". Any thread.
  public var description: String {
    "ChildProcess \(processIdentifier) (\(terminationStatus?.description ?? "running"))"
  }
}
