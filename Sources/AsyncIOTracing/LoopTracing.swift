#if Tracing
  internal import AsyncIO
  internal import Tracing

  // Tasks have the context of a trace by themselves: it is a task-local value, which child tasks and tasks of
  // `createTask` inherit. Callbacks are not tasks; they carry what the loop is told to carry.

  /// The context of traces in callbacks.
  ///
  /// Call ``enable()`` once, before the loops run. From then on callbacks see the `ServiceContext` of the code that
  /// scheduled them: those of `callSoon`, `callLater`, `callAt` and their kin, and of `addDoneCallback`; callbacks of a
  /// protocol see the context in which its transport, or its server, was made. A program that does not call it pays
  /// nothing.
  public enum LoopTracing {
    /// Let callbacks carry the `ServiceContext`, for the rest of the process. A callback that is scheduled where there
    /// is a context then costs two allocations more, one that is scheduled elsewhere a task-local look-up. Repeated
    /// calls do nothing more. Any thread.
    public static func enable() { carryContext(by: ServiceContextCarrier()) }
  }

  private struct ServiceContextCarrier: ContextCarrier {
    func capture() -> (any Sendable)? { ServiceContext.current }

    func restore<Result>(_ context: (any Sendable)?, _ body: () throws -> Result) rethrows -> Result {
      try ServiceContext.withValue(context as? ServiceContext, operation: body)
    }
  }
#endif
