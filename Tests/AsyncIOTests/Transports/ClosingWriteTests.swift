import AsyncIOConformance
import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Rows G5 and G7: a transport that is closed while something waits takes what its protocol writes on, until nothing
/// waits.
@Suite("A closing transport takes writes while something waits", .timeLimit(.minutes(5)))
struct ClosingWriteTests {
  /// Read everything to the end, while the loop turns.
  private static func readToEnd(_ number: Int32) async throws -> [UInt8] {
    var (all, room) = ([UInt8](), [UInt8](repeating: 0, count: 1 << 16))
    while true {
      let n = read(number, &room, room.count)
      if n == 0 { return all }
      if n > 0 { all += room[..<n] } else { try await sleep(for: .microseconds(200)) }
    }
  }

  @Test("What resumeWriting writes is sent, with any limits, in pieces and as lines", arguments: LoopKind.allCases)
  func resume(kind: LoopKind) async throws {
    for low in [0, 1, 16 * 1024] {
      try await kind.run { loop in
        let pair = try await loop.makePair()
        let (transport, proto) = (pair.transport, pair.proto)
        try transport.setWriteBufferLimits(high: 64 * 1024, low: low)
        let sent = Counter()
        proto.onResume = {
          #expect(transport.isClosing)
          guard sent.value < 2_000_000 else { return }
          let next = sent.value
          sent.add(500_100)
          try transport.write(numbered(next..<next + 500_000))
          try transport.writeLines([
            numbered(next + 500_000..<next + 500_050), numbered(next + 500_050..<next + 500_100),
          ])
          try transport.write([])
        }
        sent.add(1_000_000)
        try transport.write(numbered(0..<1_000_000))
        transport.close()
        transport.close()
        let bytes = try await Self.readToEnd(pair.peer)
        #expect(sent.value == 2_000_200 && bytes == numbered(0..<sent.value))
        try await turnUntil { proto.isLost }
        #expect(proto.lost == nil)
        #expect(proto.events == ["made", "pause", "resume", "pause", "resume", "pause", "resume", "lost"])
        try transport.write([1])
      }
    }
  }

  @Test(
    "A piece of resumeWriting that goes at once is not the last: what the same call writes behind it is sent",
    arguments: LoopKind.allCases)
  func piecesThatGoAtOnce(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      let (transport, proto, peer) = (pair.transport, pair.proto, pair.peer)
      try transport.setWriteBufferLimits(high: 0, low: 0)
      nonisolated(unsafe) var got: [UInt8] = []
      func drain() {
        var room = [UInt8](repeating: 0, count: 1 << 16)
        while case let n = read(peer, &room, room.count), n > 0 { got += room[..<n] }
      }
      try transport.write(numbered(0..<1_000_000))
      // A little more than the system takes, so that the rest of it waits.
      let middle = 1_000_000 + (1_000_000 - transport.writeBufferSize) + 50_000
      proto.onResume = {
        proto.onResume = {}
        drain()
        // The peer reads in the middle of the write.
        proto.onPause = { drain() }
        try transport.write(numbered(1_000_000..<middle))
        proto.onPause = {}
        #expect(transport.writeBufferSize == 0 && proto.events.suffix(3) == ["resume", "pause", "resume"])
        try transport.write(numbered(middle..<middle + 10))
      }
      transport.close()
      try await turnUntil {
        drain()
        return proto.isLost
      }
      drain()
      #expect(got == numbered(0..<middle + 10), "\(got.count) of \(middle + 10) bytes")
      #expect(proto.lost == nil)
    }
  }

  @Test("At the peer's end, which closes the transport, a backlog is written on", arguments: LoopKind.allCases)
  func trailingData(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      let (transport, proto) = (pair.transport, pair.proto)
      var backlog = numbered(500_000..<2_500_000)
      nonisolated(unsafe) var rest = backlog
      backlog = []
      proto.onResume = {
        let piece = Array(rest.prefix(400_000))
        rest.removeFirst(piece.count)
        try transport.write(piece)
      }
      try transport.write(numbered(0..<500_000))
      #expect(shutdown(pair.peer, Int32(SHUT_WR)) == 0)
      try await turnUntil { transport.isClosing }
      let bytes = try await Self.readToEnd(pair.peer)
      #expect(bytes == numbered(0..<2_500_000))
      try await turnUntil { proto.isLost }
      #expect(proto.lost == nil)
    }
  }

  @Test("Nothing waits, nothing is taken: a write after that is dropped on every loop", arguments: LoopKind.allCases)
  func nothingWaits(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      for _ in 0..<3 { try await sleep(for: .zero) }
      try pair.transport.write("whole")
      pair.transport.close()
      try pair.transport.write("no more")
      #expect(try await Self.readToEnd(pair.peer) == Array("whole".utf8))
      try await turnUntil { pair.proto.isLost }
    }
  }

  @Test("A writing pipe", arguments: LoopKind.allCases)
  func pipe(kind: LoopKind) async throws {
    try await kind.run { loop in
      let ends = try makePipe()
      let (transport, proto) = try await loop.connectWritePipe(ends.write) { ScriptedProtocol() }
      let isDone = Flag()
      proto.onResume = {
        guard !isDone.isSet else { return }
        isDone.set()
        try transport.write(numbered(300_000..<400_000))
        try transport.writeLines([numbered(400_000..<450_000)])
      }
      try transport.write(numbered(0..<300_000))
      transport.close()
      casyncio_set_nonblocking(ends.read)
      #expect(try await Self.readToEnd(ends.read) == numbered(0..<450_000))
      try await turnUntil { proto.isLost }
      #expect(proto.lost == nil)
      _ = CAsyncIO.close(ends.read)
    }
  }

  @Test("The end that a protocol has written stays the end", arguments: LoopKind.allCases)
  func behindTheEnd(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      let refused = Flag()
      pair.proto.onResume = { [transport = pair.transport] in
        expectRefusal(.invalidState) { try transport.write("more") }
        refused.set()
      }
      try pair.transport.write(numbered(0..<1_000_000))
      try pair.transport.writeEOF()
      pair.transport.close()
      #expect(try await Self.readToEnd(pair.peer) == numbered(0..<1_000_000))
      try await turnUntil { pair.proto.isLost }
      #expect(refused.isSet)
    }
  }

  private final class Datagrams: DatagramProtocol {
    var onResume: () throws -> Void = {}
    var isLost = false
    func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) {}
    func resumeWriting() throws { try onResume() }
    func connectionLost(_ error: (any Error)?) { isLost = true }
  }

  @Test("Datagrams", arguments: LoopKind.allCases)
  func datagrams(kind: LoopKind) async throws {
    try await kind.run { loop in
      let (near, far) = try AsyncIOTests.Datagrams.pair()
      let (transport, proto) = try await loop.createDatagramEndpoint(socket: near) { Datagrams() }
      try transport.setWriteBufferLimits(high: 10_000, low: 1000)
      let isDone = Flag()
      proto.onResume = {
        guard !isDone.isSet else { return }
        isDone.set()
        for number in 200..<250 { try transport.send([UInt8](repeating: UInt8(number), count: 1000)) }
      }
      for number in 0..<200 { try transport.send([UInt8](repeating: UInt8(number), count: 1000)) }
      #expect(transport.writeBufferSize > 10_000)
      transport.close()
      var got: [UInt8] = []
      try await turnUntil {
        while let datagram = AsyncIOTests.Datagrams.receive(from: far) {
          guard let first = datagram.first else { break }
          got.append(first)
        }
        return got.count >= 250
      }
      #expect(got == Array(0..<250))
      try await turnUntil { proto.isLost }
      _ = CAsyncIO.close(far)
    }
  }

  @Test("Input that nobody has read does not hold a close up", arguments: LoopKind.allCases)
  func unreadInput(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair { $0.onMade = { $0.pauseReading() } }
      pair.sockets.write(4000, to: pair.peer)
      for _ in 0..<3 { try await sleep(for: .zero) }
      try pair.transport.write("bye")
      pair.transport.close()
      try await turnUntil { pair.proto.isLost }
      #expect(pair.proto.events == ["made", "lost"] && pair.proto.lost == nil)
      #expect(pair.sockets.read(from: pair.peer) == 3)
    }
  }

  @Test("A closing transport still owns its number; an ended one does not", arguments: LoopKind.allCases)
  func watches(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      let number = pair.sockets.a
      try pair.transport.write(numbered(0..<1_000_000))
      for isClosing in [false, true] {
        if isClosing { pair.transport.close() }
        expectRefusal(.invalidState) { try loop.addReader(number) {} }
        expectRefusal(.invalidState) { try loop.addWriter(number) {} }
        expectRefusal(.invalidState) { try loop.removeReader(number) }
        expectRefusal(.invalidState) { try loop.removeWriter(number) }
      }
      #expect(try await Self.readToEnd(pair.peer) == numbered(0..<1_000_000))
      try await turnUntil { loop.backend.attached(number) == nil }
      #expect(pair.proto.isLost)
      #expect(try !loop.removeReader(number) && !loop.removeWriter(number))
    }
  }
}
