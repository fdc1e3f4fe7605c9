import CAsyncIO
import POSIX
import Testing

@testable import AsyncIO

/// Closed connections with bytes on their way: no number is kept longer than it takes, and none for ever.
@Suite(.enabled(if: LoopKind.hasProactor, "io_uring is not available"), .timeLimit(.minutes(5)))
struct ProactorLingeringTests {
  @Test("A closed connection whose peer never reads is cut when its time is up")
  func lingering() async {
    await #expect(processExitsWith: .success) {
      try await Self.linger()
      try await expectNoLeaks { try await Self.linger() }
    }
  }

  private static func linger() async throws {
    try await withFullSocket(lingerTime: 5_000_000) { near, _ in
      let backend = try #require(near.core.backend as? ProactorBackend)
      let (descriptor, number) = (near.descriptor, near.descriptor.fileDescriptor)
      near.close()
      #expect(fcntl(number, F_GETFD) >= 0)
      // Nothing else happens in this loop: it is its own deadline that it wakes up for.
      let (loop, start) = (near.core, near.core.time())
      let isFree = loop.createFuture(of: Void.self)
      startThread {
        while fcntl(number, F_GETFD) >= 0 { yieldProcessor() }
        _ = try? loop.callSoonThreadsafe { try isFree.setResult(()) }
      }
      try await isFree.get()
      #expect(start.duration(to: loop.time()) >= .milliseconds(5))
      #expect(descriptor.stream == nil)
      #expect(backend.lingering.isEmpty && backend.closed.isEmpty)
    }
  }

  @Test("A closed connection is done when its bytes are gone, however slow others are")
  func lingeringTogether() async throws {
    try await withFullSocket { first, _ in
      let (slow, loop) = (first.descriptor, first.core)
      let pair = try SocketPair()
      pair.release(pair.a)
      let second = StreamConnection(pair.a, core: loop)
      let descriptor = second.descriptor
      let taken = try await fill(second, of: loop)
      first.close()
      second.close()
      var got: [UInt8] = []
      try await turnUntil {
        got += receiveAll(pair.b)
        return descriptor.stream == nil
      }
      got += receiveAll(pair.b)
      #expect(got.count == taken)
      #expect(slow.stream != nil, "it has 30 seconds")
    }
  }
}

/// Run the body on a loop with a socket that is full until its peer reads: unlike TCP, which may find room later.
func withFullSocket<R: Sendable>(
  lingerTime: Int64? = nil,
  _ body: @escaping @Sendable (_ near: StreamConnection, _ pair: SocketPair) async throws -> R
) async throws -> R {
  let backend = try ProactorBackend()
  if let lingerTime { backend.lingerTime = lingerTime }
  let loop = ProactorEventLoop(proactor: backend)
  defer { try? loop.close() }
  return try await loop.run {
    let pair = try SocketPair()
    pair.release(pair.a)
    let near = StreamConnection(pair.a, core: loop)
    defer { near.close() }
    _ = try await fill(near, of: loop)
    return try await body(near, pair)
  }
}
