/// Makes selector loops: epoll on Linux, AFD on Windows, poll elsewhere.
open class SelectorEventLoopPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  /// Make a ``SelectorEventLoop``, whatever the environment says.
  open override func newEventLoop() throws -> any EventLoop { try SelectorEventLoop() }
}

/// Makes proactor loops: io_uring on Linux, I/O completion ports on Windows. Where that is not available it makes
/// selector loops, and logs this once.
open class ProactorEventLoopPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  /// Make a ``ProactorEventLoop``, or a ``SelectorEventLoop`` where the system has no completions.
  open override func newEventLoop() throws -> any EventLoop {
    try EventLoopKinds.proactorOrSelector("ProactorEventLoopPolicy")
  }
}
