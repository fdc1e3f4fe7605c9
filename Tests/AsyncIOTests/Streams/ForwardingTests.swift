import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Bytes from one connection to another that nobody looks at: in small pieces, which are copied, and in large ones,
/// which the system moves.
@Suite("Forwarding from connection to connection", .timeLimit(.minutes(5)))
struct ForwardingTests {
  /// A client and a server, and the two ends between them that a proxy has.
  struct Chain: Sendable {
    let client: StreamConnection
    let front: StreamConnection
    let back: StreamConnection
    let server: StreamConnection

    static func make() async throws -> Chain {
      let (one, two) = (try await StreamPair.make(), try await StreamPair.make())
      return Chain(client: one.near, front: one.far, back: two.near, server: two.far)
    }

    func close() { for connection in [client, front, back, server] { connection.close() } }
  }

  private static func withChain(
    _ kind: LoopKind, _ body: @escaping @Sendable (Chain) async throws -> Void
  ) async throws {
    try await kind.run { loop in
      let chain = try await Chain.make()
      defer { chain.close() }
      try await body(chain)
    }
  }

  @Test(
    "Every byte arrives in order, whatever the pieces are", arguments: LoopKind.allCases,
    [1, 64, 32_767, 32_768, 100_000, 3_000_000])
  func order(kind: LoopKind, size: Int) async throws {
    let total = size < 64 ? 2000 : max(size * 4, 300_000)
    try await Self.withChain(kind) { chain in
      let writing = try loopTask {
        for start in stride(from: 0, to: total, by: size) {
          try await chain.client.write(numbered(start..<min(total, start + size)))
          // Each piece comes by itself.
          if size < 1000 { await Task.yield() }
        }
        try chain.client.writeEOF()
      }
      let forwarding = try loopTask {
        let count = try await chain.front.forward(to: chain.back)
        try chain.back.writeEOF()
        return count
      }
      #expect(try await chain.server.readToEnd() == numbered(0..<total))
      #expect(try await forwarding.value == Int64(total))
      try await writing.value
    }
  }

  @Test("Large pieces do not pass through the program", arguments: LoopKind.allCases)
  func moves(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      guard !StreamPair.protectsAll, casyncio_can_splice() != 0 else { return }
      let total = 1 << 24
      let before = chain.front.core.splicePipes.taken
      let writing = try loopTask { try await chain.client.write([UInt8](repeating: 1, count: total)) }
      let forwarding = try loopTask { try await chain.front.forward(to: chain.back, limit: Int64(total)) }
      #expect(try await chain.server.readExactly(total).count == total)
      #expect(try await forwarding.value == Int64(total))
      try await writing.value
      #expect(chain.front.core.splicePipes.taken > before + 16)
    }
  }

  @Test("Moved and copied pieces take turns", arguments: LoopKind.allCases)
  func turns(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      let sizes = [10, 200_000, 3, 9000, 8000, 70_000, 1, 1, 300_000, 12].flatMap { [$0, 17, $0] }
      let total = sizes.reduce(0, +)
      let forwarding = try loopTask { try await chain.front.forward(to: chain.back) }
      var start = 0
      for size in sizes {
        let from = start
        let writing = try loopTask { try await chain.client.write(numbered(from..<from + size)) }
        #expect(try await chain.server.readExactly(size) == numbered(from..<from + size))
        try await writing.value
        start += size
      }
      chain.client.close()
      #expect(try await forwarding.value == Int64(total))
    }
  }

  @Test("A limit is kept to the byte, and the rest is there to read", arguments: LoopKind.allCases)
  func limit(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      let writing = try loopTask {
        try await chain.client.write(numbered(0..<500_000))
        try chain.client.writeEOF()
      }
      #expect(try await chain.front.forward(to: chain.back, limit: 1) == 1)
      let forwarding = try loopTask { try await chain.front.forward(to: chain.back, limit: 399_999) }
      #expect(try await chain.server.readExactly(400_000) == numbered(0..<400_000))
      #expect(try await forwarding.value == 399_999)
      #expect(try await chain.front.readToEnd() == numbered(400_000..<500_000))
      #expect(try await chain.front.forward(to: chain.back, limit: 5) == 0)
      try await writing.value
    }
  }

  @Test("What was read ahead goes first", arguments: LoopKind.allCases)
  func leftover(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      try await chain.client.write("line\n" + String(repeating: "x", count: 50_000))
      #expect(try await chain.front.readLine() == "line")
      #expect(try await chain.front.forward(to: chain.back, limit: 50_000) == 50_000)
      #expect(try await chain.server.readExactly(50_000) == [UInt8](repeating: UInt8(ascii: "x"), count: 50_000))
    }
  }

  @Test("A cancelled flow loses nothing: what was not passed on is the next read's", arguments: LoopKind.allCases)
  func cancelling(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      let total = 1 << 24
      let writing = try loopTask {
        try await chain.client.write(numbered(0..<total))
        try chain.client.writeEOF()
      }
      let forwarding = try loopTask { try await chain.front.forward(to: chain.back) }
      // Nobody reads: at some time the way is full, and the flow has bytes in hand.
      try await turnUntil { chain.back.isWriting }
      forwarding.cancel()
      await #expect(throws: CancellationError.self) { try await forwarding.value }
      let reading = try loopTask { try await chain.server.readToEnd() }
      let rest = try await chain.front.readToEnd()
      chain.back.close()
      let passed = try await reading.value
      #expect(passed + rest == numbered(0..<total))
      #expect(!passed.isEmpty && !rest.isEmpty)
      try await writing.value
    }
  }

  @Test("Both directions, and a half-close in each", arguments: LoopKind.allCases)
  func exchange(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      let forwarding = try loopTask { try await chain.front.exchange(with: chain.back) }
      let question = try loopTask {
        try await chain.client.write(numbered(0..<200_000))
        try chain.client.writeEOF()
        return try await chain.client.readToEnd()
      }
      #expect(try await chain.server.readToEnd() == numbered(0..<200_000))
      // The end of the one direction has come, and the other one works.
      try await chain.server.write(numbered(0..<300_000))
      try chain.server.writeEOF()
      #expect(try await question.value == numbered(0..<300_000))
      let counts = try await forwarding.value
      #expect(counts.sent == 200_000 && counts.received == 300_000)
      #expect(!chain.front.isClosed && !chain.back.isClosed)
    }
  }

  @Test("A reset on either side ends both directions", arguments: LoopKind.allCases, [true, false])
  func resets(kind: LoopKind, ofClient: Bool) async throws {
    try await Self.withChain(kind) { chain in
      let forwarding = try loopTask { try await chain.front.exchange(with: chain.back) }
      for connection in [chain.client, chain.server] {
        let writing = try loopTask { try await connection.write(numbered(0..<100_000)) }
        let peer = connection === chain.client ? chain.server : chain.client
        #expect(try await peer.readExactly(100_000) == numbered(0..<100_000))
        try await writing.value
      }
      if ofClient { chain.client.abort() } else { chain.server.abort() }
      let error = try await failure(IOError.self) { _ = try await forwarding.value }
      #expect(error.errno == .connectionReset)
    }
  }

  @Test("An urgent byte among large pieces holds nothing up", arguments: LoopKind.allCases)
  func urgent(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      guard !StreamPair.protectsAll else { return }
      let forwarding = try loopTask { try await chain.front.forward(to: chain.back) }
      for round in 0..<8 {
        let ordinary = [UInt8](repeating: 7, count: round % 2 == 0 ? 100_000 : 1000)
        let writing = try loopTask {
          try await chain.client.write(ordinary)
          #expect(send(chain.client.descriptor.fileDescriptor, "!", 1, Int32(MSG_OOB)) == 1)
          try await chain.client.write(ordinary)
        }
        // An urgent byte that another one follows before it was read becomes an ordinary one.
        var left = 2 * ordinary.count
        while left > 0 {
          left -= try await chain.server.read(upTo: 65536).count { $0 == 7 }
        }
        #expect(left == 0)
        try await writing.value
      }
      chain.client.close()
      #expect(try await forwarding.value >= 404_000)
    }
  }

  @Test("Without a descriptor for a pipe the bytes are copied", arguments: LoopKind.allCases)
  func withoutPipes(kind: LoopKind) async throws {
    await #expect(processExitsWith: .success) { [kind] in
      try await Self.withChain(kind) { chain in
        let before = DescriptorLimit.lower(to: 3)
        defer { DescriptorLimit.set(before) }
        let writing = try loopTask {
          try await chain.client.write(numbered(0..<2_000_000))
          try chain.client.writeEOF()
        }
        let forwarding = try loopTask { try await chain.front.forward(to: chain.back, limit: 2_000_000) }
        guard try await chain.server.readExactly(2_000_000) == numbered(0..<2_000_000) else { exit(1) }
        guard try await forwarding.value == 2_000_000 else { exit(1) }
        try await writing.value
      }
    }
  }

  @Test("An echo, and a task that runs elsewhere", arguments: LoopKind.allCases)
  func elsewhere(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      let echo = try loopTask { try await chain.server.forward(to: chain.server) }
      // A plain task runs in the pool.
      let forwarding = Task { try await chain.front.exchange(with: chain.back) }
      let writing = try loopTask {
        try await chain.client.write(numbered(0..<400_000))
        try chain.client.writeEOF()
      }
      #expect(try await chain.client.readExactly(400_000) == numbered(0..<400_000))
      try await writing.value
      #expect(try await echo.value == 400_000)
      try chain.server.writeEOF()
      let counts = try await forwarding.value
      #expect(counts.sent == 400_000 && counts.received == 400_000)
    }
  }

  @Test("Refusals name the cause", arguments: LoopKind.allCases)
  func refusals(kind: LoopKind) async throws {
    try await Self.withChain(kind) { chain in
      for limit in [0, -1, Int64.min] {
        let error = try await failure(EventLoopError.self) {
          try await chain.front.forward(to: chain.back, limit: limit)
        }
        #expect(error.code == .invalidArgument && error.description.contains("\(limit)"))
      }
      let reading = try loopTask { try await chain.front.readExactly(1) }
      try await turnUntil { chain.front.isReading }
      #expect(try await failure(EventLoopError.self) { try await chain.front.forward(to: chain.back) }.code == .busy)
      try await chain.client.write("x")
      _ = try await reading.value
      let forwarding = try loopTask { try await chain.front.forward(to: chain.back) }
      try await turnUntil { chain.front.isReading }
      #expect(try await failure(EventLoopError.self) { try await chain.back.write("y") }.code == .busy)
      chain.back.close()
      try await chain.client.write("z")
      #expect(try await failure(IOError.self) { _ = try await forwarding.value }.errno == .badFileDescriptor)
      #expect(try await failure(IOError.self) { try await chain.front.forward(to: chain.back) }.operation == "write")
    }
  }
}
