/// Makes selector loops: epoll on Linux, poll elsewhere.
open class SelectorEventLoopPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  /// Make a ``SelectorEventLoop``, whatever the environment says.
  open override func newEventLoop() throws -> any EventLoop { try SelectorEventLoop() }
}

/// Makes proactor loops: io_uring on Linux. Where that is not available it makes selector loops, and logs this once.
open class ProactorEventLoopPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  /// Make a ``ProactorEventLoop``, or a ``SelectorEventLoop`` where io_uring is not available.
  open override func newEventLoop() throws -> any EventLoop {
    try EventLoopKinds.proactorOrSelector("ProactorEventLoopPolicy")
  }
}

#if os(Windows)
  /// Makes selector loops. Answers asyncio's policy of the same name. Availability: Windows.
  open class WindowsSelectorEventLoopPolicy: SelectorEventLoopPolicy, @unchecked Sendable {}
#else
  /// Answers asyncio's policy of the same name, which exists on Windows only.
  @available(*, unavailable, message: "Availability: Windows. Use SelectorEventLoopPolicy.")
  public final class WindowsSelectorEventLoopPolicy {}

  /// Answers asyncio's policy of the same name, which exists on Windows only.
  @available(*, unavailable, message: "Availability: Windows. Use SelectorEventLoopPolicy.")
  public final class WindowsProactorEventLoopPolicy {}
#endif
