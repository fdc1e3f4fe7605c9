import Testing

@testable import AsyncIO

@Suite("How protocols are called")
struct TransportCallbackTests {
  @Test("in the scoped policy in which the transport was made", arguments: LoopKind.allCases)
  func scope(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let policy = RefusingPolicy()
      var seen: [Bool] = []
      func look() { seen.append(getEventLoopPolicy() === policy) }
      let pair = try await withEventLoopPolicy(policy) {
        try await loop.makePair {
          $0.onMade = { _ in look() }
          $0.onData = { _ in look() }
          $0.onEnd = {
            look()
            return false
          }
          $0.onLost = look
        }
      }
      #expect(getEventLoopPolicy() !== policy)
      pair.sockets.write(1, to: pair.peer)
      try await turnUntil { pair.proto.received.count == 1 }
      pair.sockets.close(pair.peer)
      try await turnUntil { pair.proto.isLost }
      #expect(seen == [true, true, true, true])
    }
  }

  @Test("of a server: in the scoped policy of createServer", arguments: LoopKind.allCases)
  func serverScope(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let policy = RefusingPolicy()
      var seen: [Bool] = []
      let server = try await withEventLoopPolicy(policy) {
        try await loop.createServer(host: "127.0.0.1", port: 0) {
          seen.append(getEventLoopPolicy() === policy)
          return ScriptedProtocol { $0.onMade = { _ in seen.append(getEventLoopPolicy() === policy) } }
        }
      }
      let port = try #require(server.addresses[0].port)
      let (transport, _) = try await loop.createConnection(host: "127.0.0.1", port: port) { ScriptedProtocol() }
      try await turnUntil { seen.count == 2 }
      #expect(seen == [true, true])
      transport.close()
      server.close()
      try await server.waitClosed()
    }
  }

  @Test("an error that ends the run leaves runForever and closes nothing", arguments: LoopKind.allCases)
  func interrupt(_ kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let reports = Reports(of: loop)
      let closing = Recorder<Bool>()
      try loop.createTask {
        let pair = try await loop.makePair { $0.onData = { _ in throw KeyboardInterrupt() } }
        pair.sockets.write(1, to: pair.peer)
        // Keeps the pair until the run after the next one.
        try await turnUntil { closing.all.isEmpty == false }
        pair.transport.close()
      }
      #expect(throws: KeyboardInterrupt.self) { try loop.runForever() }
      closing.record(true)
      try loop.callLater(.milliseconds(20)) { loop.stop() }
      try loop.runForever()
      #expect(reports.all.isEmpty)
    }
  }

  @Test("with a chunk in a turn where the system says only that there is something", arguments: LoopKind.selectors)
  func fairness(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      var turns: [UInt64] = []
      let pair = try await loop.makePair { $0.onMade = { $0.pauseReading() } }
      var count = 0
      func fill() { while case let n = pair.sockets.fill(pair.peer), n > 0 { count += n } }
      pair.proto.onData = { _ in
        turns.append(loop.turnCount)
        // The peer has more as soon as there is room, so that there is always something.
        if count < 1_000_000 { fill() }
      }
      fill()
      #expect(count > 100_000)
      pair.transport.resumeReading()
      try await turnUntil { pair.proto.received.count == count }
      // One that the poll brought, and one that was there already when it was asked for inside the poll.
      #expect(turns.count > 1)
      #expect(Dictionary(grouping: turns, by: \.self).values.allSatisfy { $0.count <= 2 }, "\(turns)")
      // The closure has the pair, and the pair the closure.
      pair.proto.onData = { _ in }
      pair.transport.close()
    }
  }

  @Test("to go on exactly where the lower limit is", arguments: LoopKind.allCases)
  func exactResume(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      var sizes: [Int] = []
      let pair = try await loop.makePair()
      let transport = pair.transport
      pair.proto.onResume = { sizes.append(transport.writeBufferSize) }
      try transport.setWriteBufferLimits(high: 100_000, low: 5_000)
      try transport.write(numbered(0..<2_000_000))
      #expect(pair.proto.events == ["made", "pause"])
      var got = 0
      try await turnUntil {
        got += max(0, pair.sockets.read(65536, from: pair.peer))
        return got == 2_000_000
      }
      #expect(sizes == [5_000])
      #expect(transport.writeBufferSize == 0)
      pair.proto.onResume = {}
      transport.close()
    }
  }

  @Test("dropped writes are logged from the fifth on", arguments: LoopKind.allCases)
  func droppedWrites(_ kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let log = CapturedLog(of: loop)
    try await loop.run {
      let pair = try await loop.makePair()
      pair.transport.close()
      for _ in 1...6 { try pair.transport.write("x") }
      try await turnUntil { pair.proto.isLost }
    }
    try loop.close()
    #expect(log.messages.count { $0.contains("are dropped") } == 2)
  }
}
