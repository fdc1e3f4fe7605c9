internal import Logging
internal import Synchronization

extension BaseEventLoop {
  /// Gets the errors that no caller can be given; `nil` is the default handler. Any thread. Answers
  /// `set_exception_handler`.
  public final var exceptionHandler: ExceptionHandler? {
    get { shared.withLock { $0.exceptionHandler } }
    set { shared.withLock { $0.exceptionHandler = newValue } }
  }

  /// Log the context as an error. Any thread. Answers `default_exception_handler`.
  public final func defaultExceptionHandler(_ context: ExceptionContext) {
    logger.error("\(context)")
  }

  /// Give the context to the handler; an error of the handler goes to the default one, with the context inside. Any
  /// thread. Answers `call_exception_handler`.
  public final func callExceptionHandler(_ context: ExceptionContext) {
    guard let handler = exceptionHandler else { return defaultExceptionHandler(context) }
    do {
      try handler(self, context)
    } catch {
      var outer = ExceptionContext(message: "unhandled error in the exception handler", exception: error)
      outer.nested = [context]
      defaultExceptionHandler(outer)
    }
  }

  // MARK: Debug mode

  /// Do the same as the fast path, and measure the time of every entry.
  final func runReadyDebug() throws {
    var left = ready.count
    while left > 0 {
      left -= 1
      try runTimed(ready.pop())
    }
    guard !isStopping else { return }
    left = 256
    while left > 0, !ready.isEmpty, ready.first.isJob {
      left -= 1
      try runTimed(ready.pop())
    }
  }

  private final func runTimed(_ word: LoopWord) throws {
    var what = "a job"
    begunTask = nil
    // Its name is asked for afterwards: the step may change it.
    let task = word.isJob ? LoopTaskRegistry.shared.task(ofJob: word) : nil
    if !word.isJob {
      let handle = word.unmanaged(Handle.self).takeUnretainedValue()
      what = handle.site.map { "the callback made at \($0)" } ?? "a callback"
    }
    let start = time().nanoseconds
    defer {
      let took = time().nanoseconds - start
      if took >= slowCallbackNanoseconds.load(ordering: .relaxed) {
        if let name = task?.reportName ?? begunTask, word.isJob { what = "a job of \(name)" }
        logger.warning("executing \(what) took \(Double(took) / 1e9) seconds")
      }
    }
    try run(word)
  }
}
