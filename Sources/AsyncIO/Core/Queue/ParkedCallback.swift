/// Carries all task-local values of the scheduling code to a callback.
///
/// Swift copies task-locals into a task and nowhere else. So the callback becomes the body of a task whose executor
/// parks the task's first job instead of running it; the loop runs that job when the callback is due. A job must never
/// be dropped: the job of a cancelled callback is run with nothing to do.
final class ParkedCallback: @unchecked Sendable {
  // Right because the job is run once, by the loop's thread or by the last release, never by both.
  private final class ParkingExecutor: TaskExecutor {
    let job = Lock<UnownedJob?>(nil)

    func enqueue(_ job: consuming ExecutorJob) {
      let unowned = UnownedJob(job)
      self.job.withLock { $0 = unowned }
    }
  }

  private final class Body: @unchecked Sendable {
    // Right because it is touched inside the parked job and around it, in one thread.
    var callback: (() throws -> Void)?
    var error: (any Error)?
    init(_ callback: @escaping () throws -> Void) { self.callback = callback }
  }

  private let executor = ParkingExecutor()
  private let body: Body

  init(_ callback: sending @escaping () throws -> Void) {
    let body = Body(callback)
    self.body = body
    _ = Task(executorPreference: executor) {
      do { try body.callback?() } catch { body.error = error }
    }
  }

  /// Return a callback that carries the task-local values of this call to the given one.
  static func parking(_ callback: sending @escaping () throws -> Void) -> sending () throws -> Void {
    let parked = ParkedCallback(callback)
    return { try parked.run() }
  }

  deinit {
    body.callback = nil
    resume()
  }

  func run() throws {
    resume()
    body.callback = nil
    if let error = body.error { throw error }
  }

  private func resume() {
    let job = executor.job.withLock { job in
      defer { job = nil }
      return job
    }
    job?.runSynchronously(on: executor.asUnownedTaskExecutor())
  }
}
