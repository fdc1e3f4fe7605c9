extension GracefulStop {
  /// Start a task on the loop of the stop, which ends with it: a request lets the task end within the time that there
  /// is, then it is cancelled, awaited, and named in the ``DrainReport``. A scope waits for its tasks even without a
  /// request, so a task that would go on for ever looks at ``isRequested`` or waits inside of ``unlessRequested(_:)``.
  /// An error of a task that nobody awaits is reported when the task is dropped, as of any other task.
  ///
  /// Throws code `wrongThread` outside of the loop's thread, `closed` for a closed loop, `invalidState` after the end
  /// of the scope.
  ///
  /// - Parameters:
  ///   - name: for reports; nil makes it "Task-N".
  ///   - body: what the task does.
  @discardableResult
  public func createTask(
    name: String? = nil, _ body: sending @escaping () async throws -> Void
  ) throws(EventLoopError) -> LoopTask<Void> {
    if core.isClosed { throw .closed("createTask") }
    guard core.isRunningInThisThread else { throw .wrongThread("createTask") }
    guard !isOver else {
      throw EventLoopError(
        .invalidState, "createTask: the scope of this stop has ended. Make tasks for it inside of withGracefulStop.")
    }
    let task = try core.createTask(name: name, body)
    let member = StoppedTask(task)
    task.addDoneCallback { [weak self] _ in
      self?.ended(ObjectIdentifier(member))
      self?.leave(member)
    }
    join(member)
    return task
  }

  /// The tasks of the stop that have not ended.
  var unfinishedTasks: [LoopTask<Void>] {
    members.compactMap { ($0 as? StoppedTask)?.task }.filter { !$0.isDone }
  }

  /// Cancel the tasks of the stop, as their scope has failed or was cancelled.
  func cancelTasks() { for task in unfinishedTasks { task.cancel() } }
}

/// A task that a stop ends.
final class StoppedTask: StopMember {
  let task: LoopTask<Void>

  init(_ task: LoopTask<Void>) { self.task = task }

  /// The task itself looks at the stop.
  func stopWasRequested() {}

  var runningEntries: [StopEntry] {
    task.isDone ? [] : [StopEntry(id: ObjectIdentifier(self), name: task.taskName)]
  }

  func cancelForStop() { task.cancel("its time to stop was over") }
}
