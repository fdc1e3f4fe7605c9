// A policy decides what a context is. Here it is the tenant that a request belongs to, not the thread: all requests
// of one tenant get the same loop, so they never run at the same time, and a slow tenant delays nobody else.

import AsyncIO
import Synchronization

final class TenantPolicy: EventLoopPolicy {
  @TaskLocal static var tenant = "nobody"

  private let loops = Mutex<[String: any EventLoop]>([:])

  func getEventLoop() throws -> any EventLoop {
    if let loop = loops.withLock({ $0[Self.tenant] }) { return loop }
    throw EventLoopError(.noCurrentLoop, "there is no event loop for \(Self.tenant)")
  }

  func setEventLoop(_ loop: (any EventLoop)?) {
    loops.withLock { $0[Self.tenant] = loop }
  }

  func newEventLoop() throws -> any EventLoop { try SelectorEventLoop() }
}

/// Knows nothing of tenants: it asks for the current loop, as any library would, wherever the request came in.
func handle(_ request: Int) async throws {
  let loop = try getEventLoop()
  let task = try loop.createTask {
    try await sleep(for: .milliseconds(1))
    print("\(TenantPolicy.tenant): request \(request), on its tenant's loop: \(try getRunningLoop() === loop)")
  }
  try await task.get()
}

@main struct ContextPolicy {
  static func main() async throws {
    try await withEventLoopPolicy(TenantPolicy()) {
      async let red: Void = TenantPolicy.$tenant.withValue("red") { try await serve() }
      async let blue: Void = TenantPolicy.$tenant.withValue("blue") { try await serve() }
      _ = try await (red, blue)
    }
  }

  /// One tenant: a loop with a thread of its own, and requests that come from elsewhere.
  static func serve() async throws {
    let loop = try newEventLoop()
    setEventLoop(loop)
    let ended: Future<Void> = loop.createFuture()
    async let running: Void = loop.run { try await ended.get() }
    for request in 1...3 { try await handle(request) }
    try ended.setResult(())
    try await running
    try loop.close()
  }
}
