internal import CAsyncIO

// One cancellation leads to the next: a task that awaits a future cancels it, the future is a task that awaits another
// one, and so on. If each ran on top of the one before, a long chain of awaits would use up the stack, and the
// program's data decide its length. So the first cancellation of a thread does all that follow from it, one after
// another, before it returns. The same goes for what a future releases: its callbacks may hold the next one.

/// Actions that lead to each other, done one after another.
///
/// A thread has at most one, on its stack; what the thread-local word refers to is alive while it is set.
struct Sequel {
  private var waiting: [() -> Void] = []

  /// Cancel the task now, or as soon as the current cancellation in this thread has come so far; in any case before the
  /// outermost one returns.
  static func cancel<Value, Failure>(_ task: Task<Value, Failure>) {
    if let current { return current.pointee.waiting.append { task.cancel() } }
    begin { task.cancel() }
  }

  /// Do something in the same way.
  static func run(_ body: @escaping () -> Void) {
    if let current { return current.pointee.waiting.append(body) }
    begin(body)
  }

  private static var current: UnsafeMutablePointer<Sequel>? {
    casyncio_sequel()?.assumingMemoryBound(to: Sequel.self)
  }

  private static func begin(_ first: () -> Void) {
    var sequel = Sequel()
    withUnsafeMutablePointer(to: &sequel) { sequel in
      casyncio_set_sequel(sequel)
      first()
      finish(sequel)
      casyncio_set_sequel(nil)
    }
  }

  private static func finish(_ sequel: UnsafeMutablePointer<Sequel>) {
    while !sequel.pointee.waiting.isEmpty {
      // What they add is for the next round.
      var round: [() -> Void] = []
      swap(&round, &sequel.pointee.waiting)
      round.reverse()
      while let next = round.popLast() { next() }
    }
  }
}
