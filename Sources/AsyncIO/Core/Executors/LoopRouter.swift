/// The default executor of a process that has several loops: a job stays with the loop whose thread made it; from any
/// other thread it goes to the first loop. So what begins on a core goes on there, without a lock or a wake.
///
/// A job knows nothing of where its task was before. A job that another loop's thread resumes goes on there, and an
/// actor that two loops call at once may move its caller to the other loop (found by experiment). So tasks that have to
/// stay, those of `createTask` and of servers, carry a preference for their loop and never get here.
final class LoopRouter: TaskExecutor {
  private let first: TaskFacade

  init(_ first: TaskFacade) { self.first = first }

  /// Bring the jobs of the loop's thread to the loop. Call it before the loop runs.
  func add(_ loop: BaseEventLoop) {
    loop.intake.isMember = true
    loop.router = self
    loop.ordinaryExecutor = UnownedTaskExecutor(ordinary: self)
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let word = LoopWord(UnownedJob(job), .routedJob)
    if let running = LoopIntake.running, running.isMember {
      running.push(word)
    } else if !first.intake.post(word) {
      LateJobs.run(word.takeJob().job, role: .task, of: first.intake)
    }
  }

  /// Run a job after a delay, for the runtime's `Task.sleep`.
  func enqueue(_ job: UnownedJob, after delay: Int64) {
    if let running = LoopIntake.running, running.isMember {
      running.core.insert(LoopWord(job, .routedJob), after: delay)
    } else {
      first.enqueue(job, after: delay)
    }
  }
}
