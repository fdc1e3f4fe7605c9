import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// The tables of readers and writers: lines 61 and 64 of the conformance list.
@Suite struct WatchTests {

  @Test("E61: a removal works on a descriptor that was closed first", arguments: LoopKind.allCases)
  func removingClosed(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      try loop.addReader(pair.a) {}
      try loop.addWriter(pair.a) {}
      pair.close(pair.a)
      #expect(try loop.removeReader(pair.a))
      #expect(try loop.removeWriter(pair.a))
      #expect(loop.watches.isEmpty)
      loop.stop()
      try loop.runForever()
    }
  }

  #if os(Linux)
    @Test("E64: a removal takes the interest out of the kernel at once")
    func kernelInterest() async throws {
      try await LoopKind.epoll.withLoop { loop in
        let pair = try SocketPair()
        let epoll = try #require(epollDescriptor(interestedIn: pair.a) { try loop.addReader(pair.a) {} })
        #expect(interests(of: epoll)[pair.a] == EPOLLIN.rawValue | EPOLLRDHUP.rawValue | always)
        try loop.addWriter(pair.a) {}
        #expect(interests(of: epoll)[pair.a]! & EPOLLOUT.rawValue != 0)
        try loop.removeReader(pair.a)
        #expect(interests(of: epoll)[pair.a] == EPOLLOUT.rawValue | always)
        try loop.removeWriter(pair.a)
        #expect(interests(of: epoll)[pair.a] == nil)
      }
    }

    /// Reported by the kernel in every mask.
    private var always: UInt32 { EPOLLERR.rawValue | EPOLLHUP.rawValue }
  #endif
}
