#if os(Windows)
  /// Makes selector loops, which have sockets only. Answers asyncio's policy of the same name. Availability: Windows.
  open class WindowsSelectorEventLoopPolicy: SelectorEventLoopPolicy, @unchecked Sendable {}

  /// Makes proactor loops, over I/O completion ports. What ``DefaultEventLoopPolicy`` makes on Windows as well. Answers
  /// asyncio's policy of the same name. Availability: Windows.
  open class WindowsProactorEventLoopPolicy: ProactorEventLoopPolicy, @unchecked Sendable {}
#endif
