/// The default executor of a process that has several loops: a job stays with the loop whose thread made it, and goes
/// to the first one from any other thread. So what begins on a core goes on there, without a lock or a wake.
///
/// A job knows nothing of where its task was before. One that is resumed by another loop's thread goes on there, and an
/// actor that two loops call at once may hand its caller to the other without asking anybody (found by experiment). So
/// tasks that have to stay, those of `createTask` and of servers, carry a preference for their loop and never get here.
final class LoopRouter: TaskExecutor {
  private let first: TaskFacade

  init(_ first: TaskFacade) { self.first = first }

  /// Brings the jobs of the loop's thread to it. Before it runs.
  func add(_ loop: BaseEventLoop) {
    loop.intake.isMember = true
    loop.router = self
    loop.ordinaryExecutor = UnownedTaskExecutor(ordinary: self)
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let word = LoopWord(job, .routedJob)
    if let running = LoopIntake.running, running.isMember {
      running.push(word)
    } else if !first.intake.post(word) {
      LateJobs.run(job, role: .task, of: first.intake)
    }
  }

  /// The runtime's `Task.sleep`.
  func enqueue(_ job: UnownedJob, after delay: Int64) {
    if let running = LoopIntake.running, running.isMember {
      running.core.insert(LoopWord(job, .routedJob), after: delay)
    } else {
      first.enqueue(job, after: delay)
    }
  }
}
