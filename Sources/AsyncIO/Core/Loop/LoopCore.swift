extension EventLoop {
  /// Return the core below this loop, for what only loops of this package can do. Throws code `notOffered` for others.
  func core(for operation: String) throws(EventLoopError) -> BaseEventLoop {
    if let core = self as? BaseEventLoop { return core }
    throw EventLoopError(
      .notOffered,
      "\(operation): this event loop is not a BaseEventLoop, which has the mechanism for it. Make one by "
        + "SelectorEventLoop(selector:).")
  }

  /// Do the same for calls that deal in objects of the loop's own thread: they return what is not `Sendable`, and only
  /// that thread may have it. Throws code `closed`, and `wrongThread` anywhere else.
  func coreOfThisThread(for operation: String) throws(EventLoopError) -> BaseEventLoop {
    let core = try core(for: operation)
    if core.isClosed { throw .closed(operation) }
    guard core.isRunningInThisThread else {
      throw EventLoopError(
        .wrongThread,
        "\(operation) was called from a thread that does not run this event loop. Call it in a task of the loop.")
    }
    return core
  }
}
