import Testing

@testable import AsyncIO

/// Policies that programs write themselves.
@Suite struct CustomPolicyTests {
  /// The custom policy of asyncio's documentation.
  private final class MyEventLoopPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
    override func getEventLoop() throws -> any EventLoop {
      let loop = try super.getEventLoop()
      // Do something with loop ...
      loop.slowCallbackDuration = .milliseconds(20)
      return loop
    }
  }

  @Test("The documentation's custom policy: a subclass whose get calls super and does something with the loop")
  func documentationExample() async throws {
    try await inThread {
      try withEventLoopPolicy(MyEventLoopPolicy()) {
        let loop = try newEventLoop()
        defer { try? loop.close() }
        setEventLoop(loop)
        #expect(loop.slowCallbackDuration == .milliseconds(100))
        let current = try getEventLoop()
        #expect(current === loop)
        #expect(current.slowCallbackDuration == .milliseconds(20))
        // Inside the loop the running loop comes first: the override is not called.
        loop.slowCallbackDuration = .milliseconds(50)
        try loop.callSoon {
          let inside = try getEventLoop()
          #expect(inside.slowCallbackDuration == .milliseconds(50))
          loop.stop()
        }
        try loop.runForever()
      }
    }
  }

  /// A policy whose context is not the thread but the tenant that a request belongs to.
  private final class TenantPolicy: EventLoopPolicy {
    @TaskLocal static var tenant: String?

    struct NoTenant: Error {}

    private let loops = Lock<[String: any EventLoop]>([:])

    func getEventLoop() throws -> any EventLoop {
      guard let tenant = Self.tenant else { throw NoTenant() }
      if let loop = loops.withLock({ $0[tenant] }) { return loop }
      let loop = try newEventLoop()
      setEventLoop(loop)
      return loop
    }

    func setEventLoop(_ loop: (any EventLoop)?) {
      guard let tenant = Self.tenant else { return }
      loops.withLock { $0[tenant] = loop }
    }

    func newEventLoop() throws -> any EventLoop { try SelectorEventLoop() }

    func closeAll() throws {
      for loop in loops.withLock({ $0.values }) { try loop.close() }
    }
  }

  @Test("A policy with a task-local context: a loop per tenant, the same one in every thread, none without a tenant")
  func taskLocalContext() async throws {
    let policy = TenantPolicy()
    try await withEventLoopPolicy(policy) {
      #expect(throws: TenantPolicy.NoTenant.self) { try getEventLoop() }
      let red = try await TenantPolicy.$tenant.withValue("red") {
        let here = try getEventLoop()
        let inTask = try await Task { try getEventLoop() }.value
        async let inChild = try getEventLoop()
        let same = try await inChild === here && inTask === here
        #expect(same)
        return here
      }
      let blue = try await TenantPolicy.$tenant.withValue("blue") { try await Task { try getEventLoop() }.value }
      #expect(red !== blue)
      // Both run, each the tasks of its own tenant.
      async let runsRed = red.run { try getEventLoop() === red }
      async let runsBlue = blue.run { try getEventLoop() === blue }
      let own = (try await runsRed, try await runsBlue)
      #expect(own.0 && own.1)
    }
    try policy.closeAll()
  }
}
