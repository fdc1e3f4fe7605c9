// A policy of a program that has the library as a dependency. It is only compiled, for Windows: what is open and public
// there has to be seen from outside.
import AsyncIO

/// Counts the loops that it makes, as the article about policies shows.
final class CountingPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  private(set) var count = 0

  override func newEventLoop() throws -> any EventLoop {
    count += 1
    return try super.newEventLoop()
  }

  override func getEventLoop() throws -> any EventLoop { try super.getEventLoop() }
  override func setEventLoop(_ loop: (any EventLoop)?) { super.setEventLoop(loop) }
}

/// asyncio's policy of selectors, which has this name on Windows.
final class CountingSelectorPolicy: WindowsSelectorEventLoopPolicy, @unchecked Sendable {
  override func newEventLoop() throws -> any EventLoop { try super.newEventLoop() }
}

func useCustomPolicies() throws {
  setEventLoopPolicy(CountingPolicy(creation: .never))
  setEventLoop(try CountingSelectorPolicy().newEventLoop())
}
