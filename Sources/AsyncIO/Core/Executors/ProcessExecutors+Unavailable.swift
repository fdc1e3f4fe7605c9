#if !(os(Linux) && compiler(>=6.3))
  /// Stands in where the runtime offers no way to replace its executors: a whole-process run is a scoped run whose
  /// tasks prefer the loop, and the main actor stays where it is.
  enum ProcessExecutors {
    static var platformExecutor: any TaskExecutor { globalConcurrentExecutor }
    static func install(_ loop: BaseEventLoop, beside others: [BaseEventLoop] = []) throws(EventLoopError) {}
    static var latestIntake: LoopIntake? { nil }
    static func uninstall(_ loop: BaseEventLoop) {}
    static func keep(
      _ job: UnownedJob, _ role: LateJobs.Role, of intake: LoopIntake, at deadline: Int64?
    ) -> Bool { false }
    static func enqueueOnPlatform(_ job: UnownedJob, at deadline: Int64) {
      Task.detached {
        try? await Task.sleep(nanoseconds: UInt64(MonotonicTime.remaining(to: deadline)))
        globalConcurrentExecutor.enqueue(ExecutorJob(job))
      }
    }
  }
#endif
