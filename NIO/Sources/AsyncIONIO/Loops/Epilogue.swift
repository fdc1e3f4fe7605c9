@_spi(Channels) internal import AsyncIO
internal import Synchronization

/// Runs what is scheduled on a loop after its end, in the thread that schedules it, in the loop's place.
///
/// NIO's futures tell their callbacks through the loop, the failure of a call on a closed loop among them. If such a
/// task were dropped, the code that awaits the future would wait for ever. So one thread at a time stands in for the
/// loop: it runs what it brought, and what others bring meanwhile, in order.
///
/// While a loop closes that has channels, they belong to the thread that closes it. So nobody else stands in until that
/// thread has closed them.
final class Epilogue: Sendable {
  private struct State {
    var tasks: [@Sendable () -> Void] = []
    var thread: Int64?
    var isHeld = false
  }

  private let state = Mutex(State())

  /// True in the thread that stands in for the loop at the moment.
  var isInThisThread: Bool { state.withLock { $0.thread } == BaseEventLoop.threadNumber }

  /// Let tasks wait until ``release(_:)``.
  func hold() { state.withLock { $0.isHeld = true } }

  /// Run a task in this thread, then those that wait, and let other threads stand in from here on.
  func release(_ task: @escaping @Sendable () -> Void) {
    state.withLock { state in
      state.isHeld = false
      state.tasks.insert(task, at: 0)
      // Right because nobody could stand in before.
      state.thread = BaseEventLoop.threadNumber
    }
    runTasks()
  }

  func execute(_ task: @escaping @Sendable () -> Void) {
    let stands = state.withLock { state in
      state.tasks.append(task)
      guard state.thread == nil, !state.isHeld else { return false }
      state.thread = BaseEventLoop.threadNumber
      return true
    }
    if stands { runTasks() }
  }

  private func runTasks() { while let task = next() { task() } }

  /// The next task; nil, and nobody stands in any more, if there is none.
  private func next() -> (@Sendable () -> Void)? {
    state.withLock { state in
      if state.tasks.isEmpty {
        state.thread = nil
        return nil
      }
      return state.tasks.removeFirst()
    }
  }
}
