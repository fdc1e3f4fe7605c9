@_spi(Channels) internal import AsyncIO
internal import Synchronization

/// Runs what is scheduled on a loop after its end, in the thread that schedules it, in the loop's place.
///
/// NIO's futures tell their callbacks through the loop, the failure of a call on a closed loop among them. If such a
/// task were dropped, the code that awaits the future would wait for ever. So one thread at a time stands in for the
/// loop: it runs what it brought, and what others bring meanwhile, in order.
final class Epilogue: Sendable {
  private struct State {
    var tasks: [@Sendable () -> Void] = []
    var thread: Int64?
  }

  private let state = Mutex(State())

  /// True in the thread that stands in for the loop at the moment.
  var isInThisThread: Bool { state.withLock { $0.thread } == BaseEventLoop.threadNumber }

  func execute(_ task: @escaping @Sendable () -> Void) {
    let stands = state.withLock { state in
      state.tasks.append(task)
      guard state.thread == nil else { return false }
      state.thread = BaseEventLoop.threadNumber
      return true
    }
    guard stands else { return }
    while let task = next() { task() }
  }

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
