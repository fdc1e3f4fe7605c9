#if os(Windows)
  internal import AsyncIO

  extension ConformanceSuite {
    /// Group A, the policies that asyncio has on Windows only.
    static let windowsPolicyChecks: [ConformanceCheck] = [
      ConformanceCheck(16, "The two policies of Windows make their kinds, and can be subclassed", facet: "windows") {
        subject in
        func kind(_ policy: any EventLoopPolicy) throws -> String {
          let loop = try policy.newEventLoop()
          defer { try? loop.close() }
          return loop is ProactorEventLoop ? "proactor" : loop is SelectorEventLoop ? "selector" : "another"
        }
        try subject.expect("selector policy", try kind(WindowsSelectorEventLoopPolicy()), "selector")
        try subject.expect("proactor policy", try kind(WindowsProactorEventLoopPolicy()), "proactor")
        let counting = CountingPolicy()
        try withEventLoopPolicy(counting) { try newEventLoop().close() }
        try subject.expect("a subclass is asked", counting.count.value, 1)
      }
    ]
  }

  private final class CountingPolicy: WindowsProactorEventLoopPolicy, @unchecked Sendable {
    let count = Box(0)

    override func newEventLoop() throws -> any EventLoop {
      count.update { $0 += 1 }
      return try super.newEventLoop()
    }
  }
#endif
