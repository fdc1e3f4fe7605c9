internal import CAsyncIO
internal import Logging
internal import Synchronization

extension BaseEventLoop {
  /// Do the same as the fast path, and note every step.
  final func runReadyWatched() throws {
    var left = ready.count
    gauge.turnBegins(at: time().nanoseconds, queued: left)
    defer { gauge.turnEnds() }
    while left > 0 {
      left -= 1
      try runNoted(ready.pop())
    }
    guard !isStopping else { return }
    left = Self.jobBudget
    while left > 0, !ready.isEmpty, ready.first.isJob {
      left -= 1
      try runNoted(ready.pop())
    }
  }

  private final func runNoted(_ word: LoopWord) throws {
    let place = word.tag == .handle ? word.unmanaged(Handle.self)._withUnsafeGuaranteedRef { $0.site } : nil
    let owner = word.isJob ? LoopTaskRegistry.shared.owner(ofJob: word) : nil
    gauge.stepBegins(LoopStep(isJob: word.isJob, place: place, isDebugged: isDebug, owner: owner))
    defer { noteEnd() }
    try run(word)
  }

  private final func noteEnd() {
    guard let (step, took) = gauge.stepEnds(at: time().nanoseconds) else { return }
    guard took >= slowCallbackNanoseconds.load(ordering: .relaxed) else { return }
    gauge.noteSlow(
      SlowStep(
        what: step.description, task: step.owner?.task?.taskName, place: step.origin, took: took,
        ended: step.since + took))
    if step.isDebugged { logger.warning("executing \(step.description) took \(Double(took) / 1e9) seconds") }
  }
}
