import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// A receive of TCP stops at an urgent byte although more is queued behind it. The bytes behind it have come and bring
/// no event of their own, so nobody may wait for one.
@Suite("A receive that stops at an urgent byte is followed by the next one", .timeLimit(.minutes(5)))
struct UrgentDataTests {
  /// How the peer mixes urgent bytes in, and what a reader gets.
  enum Stream: String, CaseIterable, CustomTestStringConvertible {
    case middle, atTheStart, twoMarks, atTheEnd, inline

    var testDescription: String { rawValue }

    /// Pieces; those that begin with "!" are urgent.
    var pieces: [String] {
      switch self {
      case .middle, .inline: ["abc", "!", "def"]
      case .atTheStart: ["!", "abc", "def"]
      // The first urgent byte becomes an ordinary one when the second comes.
      case .twoMarks: ["abc", "!", "def", "!", "ghi"]
      case .atTheEnd: ["abcdef", "!"]
      }
    }

    /// Set the receiver's options.
    func prepare(_ number: Int32) {
      var on: Int32 = self == .inline ? 1 : 0
      setsockopt(number, SOL_SOCKET, SO_OOBINLINE, &on, 4)
    }

    var received: String {
      switch self {
      case .middle, .atTheStart, .atTheEnd: "abcdef"
      case .twoMarks: "abc!defghi"
      case .inline: "abc!def"
      }
    }
  }

  /// A blocking socket that is connected to a listener of the loop.
  private final class Peer: Sendable {
    let number: Int32

    init(_ listener: StreamListener) throws {
      number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      let address = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: listener.port))
      try #require(address.withSockaddr { CAsyncIO.connect(number, $0, $1) } == 0)
      var on: Int32 = 1
      setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    deinit { _ = CAsyncIO.close(number) }

    func send(_ stream: Stream) {
      for piece in stream.pieces {
        let flags = piece.hasPrefix("!") ? Int32(MSG_OOB) : 0
        #expect(CAsyncIO.send(number, piece, piece.utf8.count, flags) == piece.utf8.count)
      }
    }
  }

  private func with(
    _ kind: LoopKind, _ stream: Stream, _ body: @escaping @Sendable (StreamConnection, Peer) async throws -> Void
  ) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { listener.close() }
      let peer = try Peer(listener)
      let connection = try await listener.accept()
      defer { connection.close() }
      stream.prepare(connection.descriptor.fileDescriptor)
      try await body(connection, peer)
    }
  }

  @Test("Everything is there before the first read", arguments: LoopKind.allCases, Stream.allCases)
  func before(kind: LoopKind, stream: Stream) async throws {
    try await with(kind, stream) { connection, peer in
      peer.send(stream)
      let bytes = try await connection.readExactly(stream.received.utf8.count)
      #expect(String(decoding: bytes, as: UTF8.self) == stream.received)
    }
  }

  @Test("A read waits when all of it comes in one turn", arguments: LoopKind.allCases, Stream.allCases)
  func whileWaiting(kind: LoopKind, stream: Stream) async throws {
    try await with(kind, stream) { connection, peer in
      for _ in 0..<3 {
        let reading = try loopTask { try await connection.readExactly(stream.received.utf8.count) }
        try await turnUntil { connection.isReading }
        peer.send(stream)
        #expect(String(decoding: try await reading.value, as: UTF8.self) == stream.received)
      }
    }
  }

  /// The two forms of a loop over chunks.
  private static let chunkReaders: [@Sendable (StreamConnection, Recorder<UInt8>) async throws -> Void] = [
    { connection, received in
      try await connection.forEachChunk { bytes in
        bytes.withUnsafeBytes { for byte in $0 { received.record(byte) } }
      }
    },
    { connection, received in
      try await connection.serveChunks { bytes, _ in
        bytes.withUnsafeBytes { for byte in $0 { received.record(byte) } }
      }
    },
  ]

  @Test("Chunks, to a task and to a synchronous handler", arguments: LoopKind.allCases, Stream.allCases)
  func chunks(kind: LoopKind, stream: Stream) async throws {
    for read in Self.chunkReaders {
      try await with(kind, stream) { connection, peer in
        let received = Recorder<UInt8>()
        let reading = try loopTask { try await read(connection, received) }
        try await turnUntil { connection.isReading }
        peer.send(stream)
        try await turnUntil { received.all.count >= stream.received.utf8.count }
        #expect(String(decoding: received.all, as: UTF8.self) == stream.received)
        reading.cancel()
        _ = await reading.result
      }
    }
  }

  @Test("A protocol, paused meanwhile or not", arguments: LoopKind.allCases, Stream.allCases)
  func transport(kind: LoopKind, stream: Stream) async throws {
    for isPaused in [false, true] {
      try await kind.run { loop in
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        defer { listener.close() }
        let peer = try Peer(listener)
        let connection = try await listener.accept()
        let number = dup(connection.descriptor.fileDescriptor)
        connection.close()
        stream.prepare(number)
        let (transport, proto) = try await loop.connectAcceptedSocket(number) { ScriptedProtocol() }
        for _ in 0..<3 { try await sleep(for: .zero) }
        if isPaused { transport.pauseReading() }
        peer.send(stream)
        if isPaused {
          for _ in 0..<3 { try await sleep(for: .zero) }
          transport.resumeReading()
        }
        try await turnUntil { proto.received.count >= stream.received.utf8.count }
        #expect(String(decoding: proto.received, as: UTF8.self) == stream.received)
        transport.close()
        try await turnUntil { proto.isLost }
      }
    }
  }

  @Test("A socket by hand", arguments: LoopKind.allCases, Stream.allCases)
  func byHand(kind: LoopKind, stream: Stream) async throws {
    try await with(kind, stream) { connection, peer in
      let socket = try Socket(fileDescriptor: dup(connection.descriptor.fileDescriptor))
      defer { socket.close() }
      peer.send(stream)
      var received: [UInt8] = []
      while received.count < stream.received.utf8.count { received += try await socket.receive(upTo: 100) }
      #expect(String(decoding: received, as: UTF8.self) == stream.received)
    }
  }

  @Test("The urgent byte stays there for code that asks for it", arguments: LoopKind.selectors)
  func outOfBand(kind: LoopKind) async throws {
    try await with(kind, .atTheEnd) { connection, peer in
      peer.send(.atTheEnd)
      #expect(try await connection.readExactly(6) == Array("abcdef".utf8))
      let reading = try loopTask { try await connection.readExactly(6) }
      try await turnUntil { connection.isReading }
      for _ in 0..<3 { try await sleep(for: .zero) }
      var byte: UInt8 = 0
      #expect(recv(connection.descriptor.fileDescriptor, &byte, 1, Int32(MSG_OOB)) == 1)
      #expect(byte == UInt8(ascii: "!"))
      peer.send(.middle)
      #expect(try await reading.value == Array("abcdef".utf8))
    }
  }
}
