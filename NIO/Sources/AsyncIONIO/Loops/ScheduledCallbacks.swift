internal import AsyncIO
public import NIOCore
internal import Synchronization

// Callbacks of NIO's handlers at a time. NIO has an implementation over scheduled tasks, which would not do here: a
// handler is told of a cancel only, not of the end of the loop, and a delay does not begin with the loop's time.

/// The scheduled callbacks of a loop, by the numbers that NIO's handles carry. Any thread.
final class ScheduledCallbacks: Sendable {
  /// The timer has the work: one that a closing loop drops ends.
  struct Entry: Sendable {
    weak let work: ScheduledWork?
    let cancelled: @Sendable () -> Void
  }

  private struct State {
    var entries: [UInt64: Entry] = [:]
    var nextNumber: UInt64 = 0
  }

  private let state = Mutex(State())

  /// Make an entry under a number. It is known until it is forgotten.
  func add(_ make: (UInt64) -> (ScheduledWork, Entry)) -> (number: UInt64, work: ScheduledWork) {
    state.withLock { state in
      defer { state.nextNumber += 1 }
      let (work, entry) = make(state.nextNumber)
      state.entries[state.nextNumber] = entry
      return (state.nextNumber, work)
    }
  }

  /// Forget an entry, and return it if it was known.
  @discardableResult
  func forget(_ number: UInt64) -> Entry? { state.withLock { $0.entries.removeValue(forKey: number) } }
}

extension AsyncIOEventLoop {
  /// Call the handler at a time of the loop's clock. It is told of a cancel, and of the end of the loop, in the loop's
  /// thread or the one that stands in for it. Throws `EventLoopError.shutdown` after the end.
  @discardableResult
  public func scheduleCallback(
    at deadline: NIODeadline, handler: some (NIOScheduledCallbackHandler & Sendable)
  ) throws -> NIOScheduledCallback {
    if base.isClosed { throw NIOCore.EventLoopError.shutdown }
    let (callbacks, cancelled) = (callbacks, { @Sendable in handler.didCancelScheduledCallback(eventLoop: self) })
    let (number, work) = callbacks.add { number in
      let work = ScheduledWork {
        callbacks.forget(number)
        handler.handleScheduledCallback(eventLoop: self)
      } dropped: {
        callbacks.forget(number)
        self.execute(cancelled)
      }
      return (work, ScheduledCallbacks.Entry(work: work, cancelled: cancelled))
    }
    work.schedule(at: deadline, on: self)
    return NIOScheduledCallback(self, id: number)
  }

  /// Call the handler after a time of the loop's clock.
  @discardableResult
  public func scheduleCallback(
    in amount: TimeAmount, handler: some (NIOScheduledCallbackHandler & Sendable)
  ) throws -> NIOScheduledCallback {
    try scheduleCallback(at: now + amount, handler: handler)
  }

  /// Cancel a callback that has not come yet. Any thread.
  public func cancelScheduledCallback(_ callback: NIOScheduledCallback) {
    guard let number = callback.customCallbackID, let entry = callbacks.forget(number) else { return }
    guard let work = entry.work, work.cancel(on: self) else { return }
    if inEventLoop { entry.cancelled() } else { execute(entry.cancelled) }
  }
}
