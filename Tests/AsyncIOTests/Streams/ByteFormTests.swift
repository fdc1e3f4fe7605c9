import Testing

@testable import AsyncIO

/// In which forms bytes can be written, and what becomes of those that were lent.
@Suite(.timeLimit(.minutes(5)))
struct ByteFormTests {
  /// Contiguous bytes that are not an array, like those of Foundation's `Data`.
  private struct Blob: RandomAccessCollection {
    var bytes: [UInt8]
    var startIndex: Int { 100 }
    var endIndex: Int { 100 + bytes.count }
    subscript(index: Int) -> UInt8 { bytes[index - 100] }
    func withContiguousStorageIfAvailable<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R? {
      try bytes.withContiguousStorageIfAvailable(body)
    }
  }

  private static let text = "-héllo-"
  private static let array = Array("<array>".utf8)
  /// A sequence that can be gone through once, and has no memory.
  private static var once: some Sequence<UInt8> { sequence(state: UInt8(47)) { $0 < 57 ? ($0 += 1, $0).1 : nil } }

  /// What each of the calls below writes.
  private static let expected =
    "[0]x" + "<array>" + "array" + text + "héllo" + "héllo" + text + "blob" + "0123456789" + "abc"

  private static func everyForm(to sink: some ByteSink) async throws {
    try await sink.write([91, 48, 93])
    try await sink.write("x")
    try await sink.write(array.span)
    try await sink.write(array[1..<6])
    try await sink.write(text)
    try await sink.write(text.dropFirst().dropLast())
    try await sink.write(text.dropFirst().dropLast().utf8)
    try await sink.write(text.utf8)
    try await sink.write(Blob(bytes: Array("blob".utf8)))
    try await sink.write(once)
    try await sink.write(Array(97...99))
    try await sink.write([])
    try await sink.write("")
    try await sink.write(Blob(bytes: []))
  }

  @Test("A connection takes every form, by its own name and as a sink", arguments: LoopKind.allCases)
  func connection(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await Self.everyForm(to: near)
      try await near.write([1, 2])
      try await near.write("x")
      try await near.write(Self.array)
      try await near.write(Self.array.span.bytes)
      try await near.write(Self.array.prefix(2))
      try await near.write(Self.text.utf8.prefix(1))
      near.close()
      let direct: [UInt8] = [1, 2, 120] + Self.array + Self.array + Self.array.prefix(2) + "-".utf8
      #expect(try await far.readToEnd() == Array(Self.expected.utf8) + direct)
    }
  }

  @Test("A pipe takes every form", arguments: LoopKind.allCases)
  func pipe(kind: LoopKind) async throws {
    try await kind.run { _ in
      let pipe = try PipePair.make()
      try await Self.everyForm(to: pipe.writer)
      pipe.writer.close()
      #expect(try await pipe.reader.readToEnd() == Array(Self.expected.utf8))
      pipe.close()
    }
  }

  @Test("A form that is larger than the system's buffer is whole", arguments: LoopKind.allCases)
  func large(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let bytes = numbered(0..<3_000_000)
      let writing = try loopTask {
        try await near.write(bytes[1...])
        try await near.write(Blob(bytes: bytes))
        near.close()
      }
      #expect(try await far.readToEnd(limit: .max) == bytes[1...] + bytes)
      try await writing.value
    }
  }

  @Test("A new byte type has every form of write through one call")
  func ownSink() async throws {
    final class Memory: ByteSink {
      var bytes: [UInt8] = []
      func write(_ bytes: RawSpan) async throws { self.bytes += Array(bytes) }
    }
    let memory = Memory()
    try await Self.everyForm(to: memory)
    #expect(String(decoding: memory.bytes, as: UTF8.self) == Self.expected)
  }

  @Test("A socket by hand takes every form", arguments: LoopKind.allCases)
  func socket(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let socket = try Socket(family: .ipv4)
      try await socket.connect(to: listener.addresses[0])
      let connection = try await listener.accept()
      try await socket.sendAll([91, 93])
      try await socket.sendAll("x")
      try await socket.sendAll(Self.array.span)
      try await socket.sendAll(Self.array[1..<6])
      try await socket.sendAll(Self.text.dropLast())
      try await socket.sendAll(Self.text.utf8)
      try await socket.sendAll(Blob(bytes: Array("blob".utf8)))
      try await socket.sendAll(Self.once)
      socket.close()
      let text = String(decoding: try await connection.readToEnd(), as: UTF8.self)
      #expect(text == "[]x<array>array-héllo" + Self.text + "blob0123456789")
      connection.close()
      listener.close()
    }
  }

  @Test("Datagrams are sent in every form, each as one", arguments: LoopKind.allCases)
  func datagrams(kind: LoopKind) async throws {
    try await kind.run { _ in
      let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
      let socket = try Socket(family: .ipv4, type: .datagram)
      let address = try #require(endpoint.localAddress)
      try await endpoint.send([1, 2], to: address)
      try await endpoint.send(Self.array.span, to: address)
      try await endpoint.send(Self.array[1..<6], to: address)
      try await endpoint.send(Self.text.utf8, to: address)
      try await endpoint.send(Self.once, to: address)
      try await socket.send(Self.array.span, to: address)
      try await socket.send(Self.array[1..<6], to: address)
      for expected in [[1, 2], Self.array, Array("array".utf8), Array(Self.text.utf8), Array(Self.once)] {
        #expect(try await endpoint.receive().bytes == expected)
      }
      #expect(try await endpoint.receive().bytes == Self.array)
      #expect(try await endpoint.receive().bytes == Array("array".utf8))
      socket.close()
      endpoint.close()
    }
  }

  @Test("A transport takes every form", arguments: LoopKind.allCases)
  func transport(kind: LoopKind) async throws {
    try await kind.run { loop in
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
        ScriptedProtocol { proto in
          proto.onMade = { transport in
            try transport.write([91, 93])
            try transport.write("x")
            try transport.write(Self.array.span)
            try transport.write(Self.array[1..<6])
            try transport.write(Self.text.dropLast())
            try transport.write(Self.text.utf8)
            try transport.write(Blob(bytes: Array("blob".utf8)))
            try transport.write(Self.once)
            transport.close()
          }
        }
      }
      let client = try await StreamConnection.connect(to: server.addresses[0])
      let text = String(decoding: try await client.readToEnd(), as: UTF8.self)
      #expect(text == "[]x<array>array-héllo" + Self.text + "blob0123456789")
      client.close()
      server.close()
      try await server.waitClosed()
    }
  }

  @Test("The handler of the synchronous form writes every form", arguments: LoopKind.allCases)
  func chunkWriter(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let serving = try loopTask {
        try await near.serveChunks { _, writer in
          writer.write([91, 93])
          writer.write("x")
          writer.write(Self.array.span)
          writer.write(Self.array[1..<6])
          writer.write(Self.text.dropLast())
          writer.write(Self.text.utf8)
          writer.write(Self.once)
        }
        near.close()
      }
      try await far.write("go")
      try far.writeEOF()
      let text = String(decoding: try await far.readToEnd(), as: UTF8.self)
      #expect(text == "[]x<array>array-héllo" + Self.text + "0123456789")
      try await serving.value
    }
  }

  @Test("Lent bytes become an array or a string", arguments: LoopKind.allCases)
  func conversions(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await near.write(Self.text)
      near.close()
      var (bytes, text) = ([UInt8](), "")
      try await far.forEachChunk { chunk in
        bytes += [UInt8](chunk)
        text += String(decoding: chunk, as: UTF8.self)
        #expect(Array(chunk) == [UInt8](chunk))
      }
      #expect(bytes == Array(Self.text.utf8) && text == Self.text)
    }
    let (empty, broken): ([UInt8], [UInt8]) = ([], [97, 0xFF, 98])
    #expect(Array(empty.span.bytes) == [])
    #expect(String(decoding: empty.span.bytes, as: UTF8.self) == "")
    #expect(String(decoding: broken.span.bytes, as: UTF8.self) == "a\u{FFFD}b")
  }
}
