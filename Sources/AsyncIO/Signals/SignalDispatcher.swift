internal import CAsyncIO
internal import SystemPackage

// Signals belong to the process, loops to threads. A loop that took signals for itself (asyncio's wake-up descriptor)
// would steal them from every other loop, and one that wrote signal numbers into its pipe would lose them when the pipe
// is full. So there is one dispatcher: the handler in C sets a bit per signal and wakes this thread; the thread takes
// the bits and calls back every loop that asked, as an ordinary callback of that loop, on whatever thread it runs. A
// burst of one signal may arrive as one call, as POSIX allows; none is lost altogether.

/// Fans signals out to loops. Any thread.
enum SignalDispatcher {
  private struct Entry {
    /// Not the loop itself: a signal may come while the loop goes away. A closed intake refuses.
    let intake: LoopIntake
    let loop: ObjectIdentifier
    let callback: @Sendable () throws -> Void
  }

  private struct State {
    /// By signal and key. The key of the one handler that a loop has by `addSignalHandler` is the loop; a graceful stop
    /// is its own key, so that the two do not replace each other.
    var entries: [Int32: [ObjectIdentifier: Entry]] = [:]
    /// What the process does by itself, in the dispatcher's thread.
    var ofProcess: [Int32: @Sendable () -> Void] = [:]
    var isStarted = false
    /// The process that has the thread: a child of a fork has none, and makes its own.
    var forkGeneration: UInt64 = 0
  }

  private static let state = Lock(State())

  static func add(
    _ number: Int32, for loop: BaseEventLoop, key: ObjectIdentifier, _ callback: @escaping @Sendable () throws -> Void
  ) throws {
    let entry = Entry(intake: loop.intake, loop: ObjectIdentifier(loop), callback: callback)
    // The earlier handler is released outside of the lock: what its callback captured may call back.
    _ = try state.withLock { state in
      try watch(number, &state)
      return state.entries[number, default: [:]].updateValue(entry, forKey: key)
    }
  }

  /// Call back in the dispatcher's thread when a signal comes, for as long as the process lives; the callback must not
  /// wait for long. It replaces an earlier one.
  static func addForProcess(_ number: Int32, _ callback: @escaping @Sendable () -> Void) throws {
    _ = try state.withLock { state in
      try watch(number, &state)
      return state.ofProcess.updateValue(callback, forKey: number)
    }
  }

  /// Install the handler of a signal that nobody watches yet. Throws `Errno` if the system refuses it.
  private static func watch(_ number: Int32, _ state: inout State) throws {
    try start(&state)
    guard state.entries[number, default: [:]].isEmpty, state.ofProcess[number] == nil else { return }
    let status = casyncio_signal_install(number)
    guard status >= 0 else { throw Errno(rawValue: -status) }
  }

  /// Remove a handler. Returns `false` if there was none.
  static func remove(_ number: Int32, key: ObjectIdentifier) -> Bool {
    let removed = state.withLock { state -> Entry? in
      guard let entry = state.entries[number]?.removeValue(forKey: key) else { return nil }
      if state.entries[number]?.isEmpty == true {
        state.entries[number] = nil
        if state.ofProcess[number] == nil { _ = casyncio_signal_restore(number) }
      }
      return entry
    }
    return removed != nil
  }

  static func removeAll(for loop: BaseEventLoop) {
    let keys = state.withLock { state in
      state.entries.flatMap { number, entries in
        entries.filter { $0.value.loop == ObjectIdentifier(loop) }.map { (number, $0.key) }
      }
    }
    for (number, key) in keys { _ = remove(number, key: key) }
  }

  /// Change the action of a signal while no handler is added or removed.
  static func serialised<Result: Sendable>(_ body: () -> Result) -> Result { state.withLock { _ in body() } }

  /// Start the thread, with the first handler; it lives as long as the process and sleeps in one poll. If there is no
  /// descriptor or no thread for it, nothing has changed, and the next handler tries again.
  private static func start(_ state: inout State) throws {
    let generation = casyncio_fork_generation()
    guard !state.isStarted || state.forkGeneration != generation else { return }
    let wake: WakeDescriptor
    do throws(Errno) { wake = try WakeDescriptor() } catch { throw IOError(error, "watch for signals") }
    do throws(Errno) {
      try Thread.detach(name: "asyncio signals") { serve(wake) }
    } catch {
      wake.close()
      throw IOError.noThread(error, for: "signals")
    }
    casyncio_signal_set_wake(wake.writeEnd)
    (state.isStarted, state.forkGeneration) = (true, generation)
  }

  private static func serve(_ wake: WakeDescriptor) {
    while true {
      var entry = casyncio_poll_entry(fd: wake.readEnd, events: Int16(POLLIN), returned: 0)
      _ = casyncio_poll(&entry, 1, -1)
      wake.drain()
      dispatch()
    }
  }

  private static func dispatch() {
    let (called, own) = state.withLock { state in
      let numbers = Set(state.entries.keys).union(state.ofProcess.keys).filter { casyncio_signal_take($0) != 0 }
      return (numbers.flatMap { state.entries[$0, default: [:]].values }, numbers.compactMap { state.ofProcess[$0] })
    }
    for callback in own { callback() }
    for entry in called {
      let callback = entry.callback
      entry.intake.post { _ = try? $0.callSoon(callback) }
    }
  }
}
