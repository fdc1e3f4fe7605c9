/// One entry of a loop's queue while it runs: a callback, or a step of a task.
package struct LoopStep: Sendable {
  /// True for a step of a task, an actor or plain code; false for a callback.
  package let isJob: Bool
  /// Where the callback was made.
  package let place: CallSite?
  /// True if the loop was in debug mode when it began: then it is logged if it is slow, whatever it changes itself.
  package let isDebugged: Bool
  /// Whose step it is, if that is known.
  package var owner: (any StepOwner)?
  /// When it began, on the loop's clock.
  package var since: Int64 = 0
  /// Tells it from the loop's other steps.
  package var number: UInt64 = 0

  /// Where what runs was made: the callback, or the task whose step it is.
  package var origin: CallSite? { place ?? owner?.task?.madeAt }

  /// What runs, inside a sentence. Asked for late: a step may rename its task.
  package var description: String {
    if let owner { return "a job of \(owner.reportName)" }
    return isJob ? "a job" : place.map { "the callback made at \($0)" } ?? "a callback"
  }
}

/// Something whose steps a loop runs, with a name for reports: a task, a served connection. Any thread.
package protocol StepOwner: AnyObject, Sendable {
  /// The name and, where it is known, the place, inside a sentence.
  var reportName: String { get }
}

extension StepOwner {
  /// The owner, if it is a task of the library.
  package var task: (any CancellableTask)? { self as? any CancellableTask }
  /// The name alone, for lists.
  package var shortName: String { task?.taskName ?? reportName }
}

/// A step that took longer than its loop allows.
package struct SlowStep: Sendable {
  package let what: String
  package let task: String?
  package let place: CallSite?
  /// How long it took, in nanoseconds.
  package let took: Int64
  /// When it ended, on the loop's clock.
  package let ended: Int64
}
