// Like CustomPolicy.swift, with the policy of proactors that asyncio has on Windows.
import AsyncIO

final class CountingProactorPolicy: WindowsProactorEventLoopPolicy, @unchecked Sendable {
  override func newEventLoop() throws -> any EventLoop { try super.newEventLoop() }
}

func useCustomWindowsPolicy() throws { setEventLoopPolicy(CountingProactorPolicy()) }
