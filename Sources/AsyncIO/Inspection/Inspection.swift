internal import CAsyncIO
internal import Logging
internal import SystemPackage

/// Lets people see inside this process while it runs: `asyncio ps`, `pstree`, `top` and `inspect` show its loops,
/// tasks, connections, timers and locks, and what a loop does that hangs.
///
/// Off at first, and then it costs nothing. `ASYNCIO_INSPECT=1` turns it on when the first loop is made, and
/// `ASYNCIO_INSPECT=SIGUSR2` when that signal comes. While it is on each callback and job takes some hundred
/// nanoseconds more, and places in the code are kept. Tasks and locks that were made before have no age and no place.
///
/// The process answers by a Unix socket in a directory that only its user may enter, from a thread of its own; the user
/// and the administrator may ask. Not offered on Windows. Answers what asyncio has as `python -m asyncio ps PID`.
public enum Inspection {
  private struct State {
    var server: InspectionServer?
    /// The process that has the server's thread: a child of a fork has none.
    var forkGeneration: UInt64 = 0
  }

  // Held while the socket is made and while it goes, which takes moments, so that there is one at a time.
  private static let state = Lock(State())

  /// Offer inspection from now on, until ``withdraw()`` or the end of the process. Does nothing if it is offered. Any
  /// thread.
  ///
  /// - Returns: the path of the socket; the commands find it by the number of the process.
  /// - Throws: code `notOffered` on Windows; ``IOError`` if there is no directory for the socket that is the user's
  ///   alone, or no descriptor or thread.
  @discardableResult
  public static func offer() throws -> String {
    let path: String = try state.withLock { state in
      let generation = casyncio_fork_generation()
      if let server = state.server, state.forkGeneration == generation { return server.path }
      state.server?.abandon()
      state.server = nil
      let server = try InspectionServer(directory: InspectionDirectory.prepare())
      (state.server, state.forkGeneration) = (server, generation)
      return server.path
    }
    Observation.beginInspection()
    return path
  }

  /// Offer inspection when the process gets a signal; one that cannot be offered then is reported to the log. Other
  /// handlers of the signal are called as well. Any thread.
  ///
  /// Throws code `invalidArgument` for a signal that cannot be caught, `notOffered` on Windows.
  public static func offer(on signal: Int32) throws {
    _ = try InspectionDirectory.user()
    try SignalDispatcher.named("Inspection.offer", signal) {
      try SignalDispatcher.addForProcess(signal) {
        do { try offer() } catch { logger.warning("inspection cannot be offered: \(error)") }
      }
    }
  }

  /// Offer it no longer, and remove the socket; loops note nothing more, except what debug mode needs. Waits for the
  /// answer that is being given. Any thread.
  public static func withdraw() {
    Observation.endInspection()
    state.withLock { state in
      defer { state.server = nil }
      // Under the lock, so that no other call makes the socket that this one removes. The thread takes no lock of ours.
      if state.forkGeneration == casyncio_fork_generation() { state.server?.stop() } else { state.server?.abandon() }
    }
  }

  // MARK: The environment

  private static var logger: Logger { Logger(label: "asyncio") }

  /// Do what the environment asks for, once. Called when a loop is made.
  static func offerIfAsked() { _ = askOnce }

  private static let askOnce: Void = {
    guard let wish = Environment.inspect else { return }
    do {
      if wish == "1" {
        try offer()
      } else if case let signal = casyncio_signal_number(wish), signal > 0 {
        try offer(on: signal)
      } else {
        logger.warning(
          "ASYNCIO_INSPECT is \"\(wish)\". Give 1 for now, or the name of a signal to wait for, as SIGUSR2.")
      }
    } catch {
      logger.warning("inspection cannot be offered: \(error)")
    }
  }()
}
