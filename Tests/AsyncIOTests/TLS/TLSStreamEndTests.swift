import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// How protected connections end: by goodbyes, without, too late, and by a close of either side.
@Suite(
  "TLS streams and their ends", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSStreamEndTests {
  @Test("hazard L1: a connection that ends without a goodbye is cut, not complete", arguments: LoopKind.allCases)
  func truncation(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      try await near.write("half of it")
      try near.core.backend.endWriting(near.descriptor)
      #expect(try await far.readExactly(10) == [UInt8]("half of it".utf8))
      for _ in 0..<2 {
        let error = try await failure(TLSError.self) { _ = try await far.read(upTo: 1) }
        #expect(error.code == .truncated, "\(error)")
      }
    }
  }

  @Test(
    "hazard L4: closing sends everything and does not cut off a peer that has not read yet",
    arguments: LoopKind.allCases)
  func closing(kind: LoopKind) async throws {
    // The client never reads, so the server's tickets are unread when it closes.
    for _ in 0..<20 {
      try await kind.withProtectedPair { near, far in
        try await near.write(numbered(0..<200_000))
        near.close()
        #expect(near.isClosed)
        #expect(try await far.readToEnd() == numbered(0..<200_000))
      }
    }
  }

  @Test("close() ends what waits, in any task, and the number comes back", arguments: LoopKind.allCases)
  func closeEndsPending(kind: LoopKind) async throws {
    try await kind.withProtectedPair { near, far in
      let reading = try loopTask { _ = try await near.read(upTo: 1) }
      let writing = try loopTask { try await near.write(numbered(0..<32_000_000)) }
      try await turnUntil { near.link.reader != nil && near.link.writer != nil }
      near.close()
      for task in [reading, writing] {
        let error = try await failure(IOError.self) { try await task.value }
        #expect(error.errno == .canceled)
      }
      let link = near.link
      #expect(link.life.phase == .lingering)
      far.close()
      try await turnUntil { link.life.phase == .gone }
    }
  }

  @Test("hazard L2: a peer that never says goodbye is given up in time", arguments: LoopKind.allCases)
  func silentPeer(kind: LoopKind) async throws {
    try await kind.run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      try await pair.protect(limits: TLSLimits(shutdown: .milliseconds(50)))
      let link = pair.near.link
      pair.near.close()
      #expect(link.life.phase == .lingering)
      try await turnUntil { link.life.phase == .gone }
    }
  }

  @Test("hazard L5: a handshake that does not go on ends in time", arguments: LoopKind.allCases)
  func silentHandshake(kind: LoopKind) async throws {
    try await kind.run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let error = try await failure(TLSError.self) {
        try await pair.far.startTLS(
          TLSContext(TLSSessionTests.server()), limits: TLSLimits(handshake: .milliseconds(30)))
      }
      #expect(error.code == .timedOut && error.description.contains("0.03 seconds"), "\(error)")
      #expect(pair.far.isClosed)
    }
  }

  @Test("A cancelled handshake closes the connection", arguments: LoopKind.allCases)
  func cancelledHandshake(kind: LoopKind) async throws {
    try await kind.run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let context = try TLSContext(TLSSessionTests.client())
      let starting = try loopTask { try await pair.near.startTLS(context, serverHostname: "localhost") }
      try await turnUntil { pair.near.descriptor.layer != nil && pair.near.link.opener != nil }
      starting.cancel()
      await #expect(throws: CancellationError.self) { try await starting.value }
      #expect(pair.near.isClosed)
    }
  }

  @Test("Refused certificates end both sides with the reason", arguments: LoopKind.allCases)
  func refusal(kind: LoopKind) async throws {
    try await kind.run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let server = try TLSContext(TLSSessionTests.server("unknown"))
      let accepting = try loopTask {
        try await pair.far.startTLS(server)
        _ = try await pair.far.read(upTo: 1)
      }
      let error = try await failure(TLSError.self) {
        try await pair.near.startTLS(TLSContext(TLSSessionTests.client()), serverHostname: "localhost")
      }
      #expect(error.code == .unknownAuthority)
      let answer = try await failure(TLSError.self) { try await accepting.value }
      #expect(answer.code == .peerAlert, "\(answer)")
    }
  }

  @Test("A loop that is closed ends protected connections", arguments: LoopKind.allCases)
  func closedLoop(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let (pair, reading) = try await loop.run {
      let pair = try await StreamPair.make()
      try await pair.protect()
      let reading = try loopTask { try await pair.near.read(upTo: 1) }
      try await turnUntil { pair.near.link.reader != nil }
      return (pair, reading)
    }
    try loop.close()
    let error = try await failure(EventLoopError.self) { _ = try await reading.value }
    #expect(error.code == .closed)
    pair.close()
  }

  #if os(Linux)
    @Test("Nothing is left: no link, no descriptor", arguments: LoopKind.allCases)
    func leaks(kind: LoopKind) async throws {
      await #expect(processExitsWith: .success) { [kind] in
        func round() async throws {
          for ending in 0..<5 {
            try await kind.withProtectedPair { near, far in
              let reading = try loopTask { _ = try await far.read(upTo: 10) }
              try await near.write("some")
              switch ending {
              case 0: near.close()
              case 1: near.abort()
              case 2: reading.cancel()
              case 3: try near.core.backend.endWriting(near.descriptor)
              default: try await near.write([UInt8](repeating: 1, count: 100_000))
              }
            }
          }
          let loop = try kind.makeLoop()
          let pair = try await loop.run {
            let pair = try await StreamPair.make()
            try await pair.protect()
            return pair
          }
          try loop.close()
          pair.close()
        }
        try await round()
        let before = Holdings.now
        try await round()
        var after = Holdings.now
        for _ in 0..<10_000 where after.descriptors > before.descriptors || after.counters["TLS links"] != 0 {
          await Task.yield()
          after = Holdings.now
        }
        precondition(after.descriptors <= before.descriptors, "before: \(before); after: \(after)")
        precondition(after.counters["TLS links"] == 0 && after.counters["descriptors"] == 0, "\(after)")
      }
    }
  #endif
}
