import AsyncIOConformance
import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Bytes that were written to a peer that has gone are lost, and some call reports it: even if a loop took the bytes
/// before the system refused them, and even if the peer's end of stream came first.
@Suite("A lost write is an error", .timeLimit(.minutes(5)))
struct LostWriteTests {
  enum Way: String, CaseIterable, CustomTestStringConvertible {
    case closed, closedWithUnread, closedAfterReading, writtenAndClosed
    var testDescription: String { rawValue }
  }

  private func errno(_ error: (any Error)?) -> Errno? { (error as? IOError)?.errno }

  private func error(_ body: () async throws -> Void) async -> (any Error)? {
    do {
      try await body()
      return nil
    } catch { return error }
  }

  @Test("A protocol gets it", arguments: LoopKind.allCases, Way.allCases)
  func transport(kind: LoopKind, way: Way) async throws {
    for size in [1, 3000, 6000, 100_000] {
      try await kind.run { loop in
        let pair = try await loop.makePair()
        let transport = pair.transport
        for _ in 0..<3 { try await sleep(for: .zero) }
        if way == .closedWithUnread || way == .closedAfterReading { try transport.write("first") }
        if way == .closedAfterReading {
          try await turnUntil { pair.sockets.read(from: pair.peer) == 5 }
        } else if way == .closedWithUnread {
          for _ in 0..<3 { try await sleep(for: .zero) }
        }
        pair.sockets.end(pair.peer)
        try transport.write([UInt8](repeating: 1, count: size))
        if way == .writtenAndClosed { transport.close() }
        try await turnUntil { pair.proto.isLost }
        let lost = errno(pair.proto.lost)
        let text = pair.proto.lost.map { "\($0)" } ?? "nil"
        check(lost == .brokenPipe || lost == .connectionReset, "\(size) bytes: \(text)")
        // Of bytes that the peer has not read the system tells who reads.
        check(text.hasPrefix("write") || lost == .connectionReset, "\(size) bytes: \(text)")
      }
    }
  }

  @Test("A protocol that has paused its reading gets it when it closes", arguments: LoopKind.allCases)
  func paused(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      pair.transport.pauseReading()
      pair.sockets.end(pair.peer)
      try pair.transport.write("x")
      for _ in 0..<5 { try await sleep(for: .zero) }
      pair.transport.close()
      try await turnUntil { pair.proto.isLost }
      #expect(errno(pair.proto.lost) == .brokenPipe)
    }
  }

  /// Both ends of a Unix connection on the loop, the far one as a number.
  private func withConnection(
    _ kind: LoopKind, _ body: @escaping @Sendable (StreamConnection, SocketPair) async throws -> Void
  ) async throws {
    try await kind.run { loop in
      let sockets = try SocketPair()
      let connection = StreamConnection(sockets.a, core: loop)
      sockets.release(sockets.a)
      defer { connection.close() }
      try await body(connection, sockets)
    }
  }

  /// How a connection is read to its end.
  private static let reads: [@Sendable (StreamConnection) async throws -> Void] = [
    { _ = try await $0.read(upTo: 10) },
    { _ = try await $0.readToEnd() },
    { _ = try await $0.withNextChunk { _ in } },
    { try await $0.forEachChunk { _ in } },
    { try await $0.serveChunks { _, _ in } },
  ]

  @Test("The write of a connection throws it, or the read that finds the end", arguments: LoopKind.allCases, 0..<5)
  func connection(kind: LoopKind, read: Int) async throws {
    // The synchronous handler has the connection to itself.
    for isWaiting in read == 4 ? [false] : [false, true] {
      try await withConnection(kind) { connection, sockets in
        let reading = isWaiting ? try loopTask { try await Self.reads[read](connection) } : nil
        if isWaiting { try await turnUntil { connection.isReading } }
        sockets.end(sockets.b)
        let refusal = await error { try await connection.write("x") }
        let atTheEnd = await error {
          if let reading { try await reading.value } else { try await Self.reads[read](connection) }
        }
        if refusal != nil { return #expect(errno(refusal) == .brokenPipe) }
        let told = try #require(atTheEnd, "a byte was lost and nobody was told")
        #expect(errno(told) == .brokenPipe && "\(told)".hasPrefix("write"), "\(told)")
        #expect(try await connection.read(upTo: 1).isEmpty, "told once, it is an end")
      }
    }
  }

  @Test("An echo that nobody waits for", arguments: LoopKind.allCases)
  func echo(kind: LoopKind) async throws {
    for isSynchronous in [false, true] {
      try await withConnection(kind) { connection, sockets in
        sockets.write(5, to: sockets.b)
        sockets.end(sockets.b)
        let told = await error {
          if isSynchronous {
            try await connection.serveChunks { bytes, writer in writer.write(bytes) }
          } else {
            try await connection.forEachChunk { bytes in try await connection.write(bytes) }
          }
        }
        let loss: any Error = try #require(told, "the echo was lost and nobody was told")
        let why = errno(loss)
        #expect(why == .brokenPipe || why == .connectionReset)
      }
    }
  }

  @Test(
    "A peer that ends its stream and reads later holds up no end, and gets everything", arguments: LoopKind.allCases)
  func halfClosed(kind: LoopKind) async throws {
    try await withConnection(kind) { connection, sockets in
      // What fits into the system, and on a proactor a little more, which waits.
      let limit = kind == .proactor ? 3 : 0
      var sent = sockets.fillAll(sockets.a)
      for _ in 0..<limit {
        try await connection.write([UInt8](repeating: 0, count: 1000))
        sent += 1000
      }
      let reading = try loopTask { try await connection.readToEnd() }
      try await turnUntil { connection.isReading }
      #expect(shutdown(sockets.b, Int32(SHUT_WR)) == 0)
      #expect(try await reading.value == [])
      var got = 0
      try await turnUntil {
        got += max(0, sockets.read(1 << 16, from: sockets.b))
        return got >= sent
      }
      #expect(got == sent)
    }
  }

  @Test(
    "A transport whose last bytes have no room ends when they have gone, or when it is aborted",
    arguments: LoopKind.allCases)
  func noRoom(kind: LoopKind) async throws {
    for isAborted in [false, true] {
      try await kind.run { loop in
        let pair = try await loop.makePair()
        let sent = pair.sockets.fillAll(pair.sockets.a)
        try pair.transport.write([UInt8](repeating: 0, count: 1000))
        pair.transport.close()
        for _ in 0..<5 { try await sleep(for: .zero) }
        #expect(!pair.proto.isLost)
        if isAborted {
          pair.transport.abort()
          try await turnUntil { pair.proto.isLost }
          return
        }
        var got = 0
        try await turnUntil {
          got += max(0, pair.sockets.read(1 << 16, from: pair.peer))
          return pair.proto.isLost
        }
        while case let n = pair.sockets.read(1 << 16, from: pair.peer), n > 0 { got += n }
        #expect(got == sent + 1000 && pair.proto.lost == nil)
      }
    }
  }

  /// From one run to the next. Right as unchecked because both are in one thread.
  private final class Kept: @unchecked Sendable { var proto: ScriptedProtocol? }

  @Test("A run that ends amid a lost write tells of it in the next one", arguments: LoopKind.allCases)
  func acrossRuns(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let sockets = try SocketPair()
      let kept = Kept()
      try loop.run {
        let (transport, proto) = try await loop.createConnection(socket: sockets.a) { ScriptedProtocol() }
        sockets.release(sockets.a)
        for _ in 0..<3 { try await sleep(for: .zero) }
        sockets.end(sockets.b)
        try transport.write("x")
        kept.proto = proto
      }
      try loop.run {
        let proto = try #require(kept.proto)
        try await turnUntil { proto.isLost }
        #expect((proto.lost as? IOError)?.errno == .brokenPipe)
      }
    }
  }
}

extension SocketPair {
  /// Close an end, even if a child that another test starts has its number for a moment.
  fileprivate func end(_ end: Int32) {
    shutdown(end, Int32(SHUT_RDWR))
    close(end)
  }

  /// Write until the system takes no more; how many bytes it took.
  fileprivate func fillAll(_ end: Int32) -> Int {
    var sent = 0
    for size in [65536, 4096, 512] {
      let bytes = [UInt8](repeating: 0, count: size)
      while case let n = CAsyncIO.write(end, bytes, size), n > 0 { sent += n }
    }
    return sent
  }
}
