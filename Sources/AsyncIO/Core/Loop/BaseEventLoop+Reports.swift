internal import Logging

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
}
