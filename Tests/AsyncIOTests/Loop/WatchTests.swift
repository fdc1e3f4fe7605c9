import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Readers and writers: lines 56 to 62 and 64 of the conformance list.
@Suite struct WatchTests {
  struct Failure: Error {}

  @Test("E56: a second reader replaces the first; removing answers true once", arguments: LoopKind.allCases)
  func replacing(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let fired = Recorder<Int>()
      try loop.addReader(pair.a) { fired.record(1) }
      try loop.addReader(pair.a) {
        fired.record(2)
        #expect(try loop.removeReader(pair.a))
        #expect(try !loop.removeReader(pair.a))
        #expect(try !loop.removeWriter(pair.a))
        try loop.callSoon { try loop.callSoon { loop.stop() } }
      }
      pair.write(1, to: pair.b)
      try loop.runForever()
      #expect(fired.all == [2])
    }
  }

  @Test("E57: unread data calls the reader in every turn", arguments: LoopKind.allCases)
  func levelTriggered(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let turns = Recorder<UInt64>()
      try loop.addReader(pair.a) {
        turns.record(loop.turnCount)
        if turns.all.count == 5 { loop.stop() }
      }
      pair.write(1, to: pair.b)
      try loop.runForever()
      let first = turns.all[0]
      #expect(turns.all == Array(first..<first + 5))
    }
  }

  @Test("E58: what a callback removes in its turn does not fire", arguments: LoopKind.allCases)
  func removingInTurn(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let other = try SocketPair()
      let fired = Recorder<String>()
      try loop.addReader(pair.a) {
        fired.record("reader")
        try loop.removeReader(pair.a)
        try loop.removeWriter(pair.a)
        try loop.removeReader(other.a)
        try loop.callSoon { try loop.callSoon { loop.stop() } }
      }
      try loop.addWriter(pair.a) { fired.record("writer") }
      try loop.addReader(other.a) {
        // Which of two descriptors is reported first is the kernel's choice; either may silence the other.
        fired.record("reader")
        try loop.removeReader(other.a)
        try loop.removeReader(pair.a)
        try loop.removeWriter(pair.a)
        try loop.callSoon { try loop.callSoon { loop.stop() } }
      }
      pair.write(1, to: pair.b)
      other.write(1, to: other.b)
      try loop.runForever()
      #expect(fired.all == ["reader"])
    }
  }

  @Test("E59: a callback that throws is reported and stays registered", arguments: LoopKind.allCases)
  func throwing(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let reports = Recorder<ExceptionContext>()
      loop.exceptionHandler = { loop, context in
        reports.record(context)
        if reports.all.count == 3 { loop.stop() }
      }
      try loop.addReader(pair.a) { throw Failure() }
      pair.write(1, to: pair.b)
      try loop.runForever()
      #expect(reports.all.count == 3)
      #expect(reports.all.allSatisfy { $0.exception is Failure && $0.handle != nil })
      #expect(try loop.removeReader(pair.a))
    }
  }

  @Test("E60: the end of the peer is told to both directions", arguments: LoopKind.allCases)
  func peerCloses(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      // A full socket: only the hang-up can make it writable.
      while pair.fill(pair.a) > 0 {}
      let fired = Recorder<String>()
      func note(_ what: String) {
        fired.record(what)
        if Set(fired.all).count == 2 { loop.stop() }
      }
      try loop.addReader(pair.a) { note("reader") }
      try loop.addWriter(pair.a) { note("writer") }
      try loop.callSoon {
        #expect(fired.all.isEmpty)
        pair.close(pair.b)
      }
      try loop.runForever()
      #expect(Set(fired.all) == ["reader", "writer"])
    }
  }

  @Test("E61: what cannot be waited for is refused and leaves nothing", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let file = try FileDescriptor.open("/proc/self/exe", .readOnly)
      defer { try? file.close() }
      let pair = try SocketPair()
      let cases: [(Int32, Errno)] = [
        (file.rawValue, .notPermitted), (-1, .badFileDescriptor), (1 << 20, .badFileDescriptor),
      ]
      for (number, expected) in cases {
        #expect(throws: expected) { try loop.addReader(number) {} }
        #expect(throws: expected) { try loop.addWriter(number) {} }
        #expect(try !loop.removeReader(number))
      }
      try loop.addReader(pair.a) {}
      pair.close(pair.a)
      #expect(throws: Errno.badFileDescriptor) { try loop.addReader(pair.a) {} }
      #expect(try loop.removeReader(pair.a))
      #expect(loop.watches.isEmpty)
    }
  }

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

  @Test(
    "E62: the descriptor of an open connection is refused by name, and free once it is closed",
    arguments: LoopKind.allCases)
  func owned(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let pair = try SocketPair()
      let owner = IODescriptor(pair.a, loop: loop)
      loop.backend.attach(owner)
      expectRefusal(.invalidState) { try loop.addReader(pair.a) {} }
      expectRefusal(.invalidState) { try loop.addWriter(pair.a) {} }
      expectRefusal(.invalidState) { try loop.removeReader(pair.a) }
      do { try loop.addReader(pair.a) {} } catch { #expect("\(error)".contains("descriptor \(pair.a) ")) }
      loop.backend.detach(owner, closing: false)
      try loop.addReader(pair.a) {}
      #expect(try loop.removeReader(pair.a))
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
