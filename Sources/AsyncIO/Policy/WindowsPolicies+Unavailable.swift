#if !os(Windows)
  /// Answers asyncio's policy of the same name, which exists on Windows only.
  @available(*, unavailable, message: "Availability: Windows. Use SelectorEventLoopPolicy.")
  public final class WindowsSelectorEventLoopPolicy {}

  /// Answers asyncio's policy of the same name, which exists on Windows only.
  @available(*, unavailable, message: "Availability: Windows. Use ProactorEventLoopPolicy.")
  public final class WindowsProactorEventLoopPolicy {}
#endif
