internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

extension EventLoop {
  /// Call back, as an ordinary callback of this loop, when the process gets the signal. This replaces an earlier
  /// handler of this loop for the signal; other loops keep theirs. Any thread may run the loop. Answers
  /// `add_signal_handler`.
  ///
  /// - Parameters:
  ///   - signal: a number, for instance `SIGTERM`.
  ///   - callback: runs in the loop's thread.
  /// - Throws: code `invalidArgument` for numbers that are not signals and for those that cannot be caught (SIGKILL,
  ///   SIGSTOP), `closed` for a closed loop, `notOffered` for loops that do not build on ``BaseEventLoop``, and on
  ///   Windows for other signals than SIGINT, SIGBREAK and SIGTERM, and without a console for the first two. The first
  ///   handler of a process needs a thread and a descriptor: ``IOError`` if the system has none left.
  public func addSignalHandler(_ signal: Int32, _ callback: @escaping @Sendable () throws -> Void) throws {
    let core = try core(for: "addSignalHandler")
    try core.addSignalEntry(signal, key: ObjectIdentifier(core), for: "addSignalHandler", callback)
  }

  /// Remove this loop's handler of the signal; returns `false` if there was none. When the last loop's handler is gone,
  /// the signal has its earlier action again. Answers `remove_signal_handler`.
  @discardableResult
  public func removeSignalHandler(_ signal: Int32) -> Bool {
    guard let core = self as? BaseEventLoop else { return false }
    return SignalDispatcher.remove(signal, key: ObjectIdentifier(core))
  }
}

extension BaseEventLoop {
  /// Call back for a signal, beside the loop's other entries under other keys. The operation is named in the errors,
  /// which are those of `addSignalHandler`.
  final func addSignalEntry(
    _ signal: Int32, key: ObjectIdentifier, for operation: String, _ callback: @escaping @Sendable () throws -> Void
  ) throws {
    if isClosed { throw EventLoopError.closed(operation) }
    try SignalDispatcher.named(operation, signal) {
      try SignalDispatcher.add(signal, for: self, key: key, callback)
    }
    shared.withLock { $0.services[ObjectIdentifier(SignalResident.self)] = SignalResident(self) }
  }
}

extension SignalDispatcher {
  /// Watch for a signal by the body. Its refusal, and that of a number which is no good, name the operation.
  static func named(_ operation: String, _ signal: Int32, _ watch: () throws -> Void) throws {
    guard signal > 0, signal < 65 else {
      throw EventLoopError(.invalidArgument, "\(operation): \(signal) is not a signal number.")
    }
    guard signal != SIGKILL, signal != SIGSTOP else {
      throw EventLoopError(.invalidArgument, "\(operation): signal \(signal) cannot be caught.")
    }
    do { try watch() } catch let error as Errno { throw refusal(of: signal, for: operation, error) }
  }

  private static func refusal(of signal: Int32, for operation: String, _ error: Errno) -> EventLoopError {
    if error.rawValue == ENXIO {
      return EventLoopError(
        .notOffered,
        "\(operation): signal \(signal) comes from a console, and this process has none. Start it with one, or use "
          + "SIGTERM, which comes at the end of the session as well.")
    }
    guard let known = casyncio_known_signals().map({ String(cString: $0) }) else {
      return EventLoopError(.invalidArgument, "\(operation): signal \(signal): \(error)")
    }
    return EventLoopError(
      .notOffered, "\(operation): programs are told of \(known) on this system, not of signal \(signal).")
  }
}

/// Removes the handlers of a loop when it is closed.
///
/// Right as unchecked: the loop is its last user, and outlives it.
private final class SignalResident: LoopResident, @unchecked Sendable {
  private unowned let core: BaseEventLoop

  init(_ core: BaseEventLoop) { self.core = core }

  override func loopDidClose() { SignalDispatcher.removeAll(for: core) }
}
