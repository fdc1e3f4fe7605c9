extension Future: CustomStringConvertible {
  /// How logs show it: "Task-7 (pending)", "Future<Int> (done)", and in debug mode where it was made.
  ///
  /// The state is pending, cancelling (of a task), done, failed or cancelled. The value and the error are left out:
  /// they may be large, and refer to anything. Any thread.
  public final var description: String {
    let task = self as? any AnyLoopTask
    let state =
      if isCancelled {
        "cancelled"
      } else if hasFailed {
        "failed"
      } else if isDone {
        "done"
      } else {
        task.map { $0.cancelling > 0 } == true ? "cancelling" : "pending"
      }
    let place = site.map { ", made at \($0)" } ?? ""
    return "\(task?.taskName ?? "\(type(of: self))") (\(state))\(place)"
  }
}
