import AsyncIOConformance
import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// A receive stops where the file has a border: at a message that carries descriptors, at a packet, at a record, at a
/// line. What is behind it has come already, so nobody may wait for an event that says so.
@Suite("A short receive is not the end of what is there", .timeLimit(.minutes(5)))
struct ShortReadTests {
  /// The ways to read.
  enum Reader: String, CaseIterable, CustomTestStringConvertible {
    case exactly, upTo, chunks, handler, plain, buffered, byHand
    var testDescription: String { rawValue }
  }

  private final class Buffered: BufferedProtocol {
    let received: Recorder<UInt8>
    private var storage = [UInt8](repeating: 0, count: 3)
    init(_ received: Recorder<UInt8>) { self.received = received }
    func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) { lend(&storage, to: fill) }
    func bufferUpdated(_ count: Int) { for byte in storage[..<count] { received.record(byte) } }
  }

  /// Begin to read from the socket; what comes is recorded. The answer ends it.
  private static func read(
    _ number: Int32, _ reader: Reader, on loop: BaseEventLoop, _ received: Recorder<UInt8>
  ) async throws -> () -> Void {
    @Sendable func record(_ bytes: RawSpan) { bytes.withUnsafeBytes { for byte in $0 { received.record(byte) } } }
    switch reader {
    case .plain:
      let (transport, _) = try await loop.createConnection(socket: number) {
        ScriptedProtocol {
          $0.onData = { it in
            for byte in it.received { received.record(byte) }
            it.received = []
          }
        }
      }
      return { transport.close() }
    case .buffered:
      let (transport, _) = try await loop.createConnection(socket: number) { Buffered(received) }
      return { transport.close() }
    case .byHand:
      let socket = try Socket(fileDescriptor: number)
      let task = try loopTask {
        while true { for byte in try await socket.receive(upTo: 100) { received.record(byte) } }
      }
      return {
        task.cancel()
        socket.close()
      }
    default:
      let connection = StreamConnection(number, core: loop)
      let task = try loopTask {
        switch reader {
        case .exactly: while true { for byte in try await connection.readExactly(2) { received.record(byte) } }
        case .upTo: while true { for byte in try await connection.read(upTo: 100) { received.record(byte) } }
        case .chunks: try await connection.forEachChunk { bytes in record(bytes) }
        default: try await connection.serveChunks { bytes, _ in record(bytes) }
        }
      }
      return {
        task.cancel()
        connection.close()
      }
    }
  }

  /// A message with bytes and a descriptor.
  private static func sendDescriptor(_ text: String, over number: Int32) {
    var bytes = Array(text.utf8)
    var control = [UInt64](repeating: 0, count: 3)  // a header of 16 bytes, a number, and what aligns it
    control.withUnsafeMutableBytes { control in
      control.storeBytes(of: 20, as: Int.self)
      control.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
      control.storeBytes(of: 1, toByteOffset: 12, as: Int32.self)  // SCM_RIGHTS
      control.storeBytes(of: number, toByteOffset: 16, as: Int32.self)
      bytes.withUnsafeMutableBytes { bytes in
        var piece = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
        withUnsafeMutablePointer(to: &piece) { piece in
          var message = msghdr()
          message.msg_iov = piece
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = 24
          #expect(sendmsg(number, &message, 0) == bytes.count)
        }
      }
    }
  }

  @Test(
    "A Unix socket, at a message that carries a descriptor", arguments: LoopKind.allCases, Reader.allCases)
  func descriptors(kind: LoopKind, reader: Reader) async throws {
    try await kind.run { loop in
      let sockets = try SocketPair()
      let received = Recorder<UInt8>()
      let stop = try await Self.read(sockets.a, reader, on: loop, received)
      sockets.release(sockets.a)
      for round in 1...3 {
        for _ in 0..<3 { try await sleep(for: .zero) }
        // All in one turn.
        sockets.write(4, to: sockets.b)
        Self.sendDescriptor("AAAA", over: sockets.b)
        sockets.write(4, to: sockets.b)
        Self.sendDescriptor("BBBB", over: sockets.b)
        sockets.write(4, to: sockets.b)
        try await turnUntil { received.all.count >= 20 * round }
      }
      #expect(received.all.count == 60)
      stop()
      try await turnUntil { kindIsIdle(loop, sockets.a) }
    }
  }

  private func kindIsIdle(_ loop: BaseEventLoop, _ number: Int32) -> Bool { loop.backend.attached(number) == nil }

  #if os(Linux)
    /// A pipe whose writes are packets (O_DIRECT).
    private static func makePacketPipe() throws -> [Int32] {
      let ends = try makePipe()
      #if arch(arm64)
        let direct: Int32 = 0o200000
      #else
        let direct: Int32 = 0o40000
      #endif
      try #require(fcntl(ends.write, F_SETFL, direct) == 0)
      return [ends.read, ends.write]
    }

    @Test("A pipe in packet mode gives a packet at a time", arguments: LoopKind.allCases)
    func packets(kind: LoopKind) async throws {
      try await kind.run { loop in
        let ends = try Self.makePacketPipe()
        let reader = try PipeReader(owning: ends[0])
        defer {
          reader.close()
          _ = CAsyncIO.close(ends[1])
        }
        for _ in 0..<3 {
          let reading = try loopTask { try await reader.readExactly(6) }
          try await turnUntil { reader.end.isWaitingToRead }
          for packet in ["ab", "cd", "ef"] { #expect(CAsyncIO.write(ends[1], packet, 2) == 2) }
          #expect(try await reading.value == Array("abcdef".utf8))
        }
        let received = Recorder<UInt8>()
        let chunks = try loopTask {
          try await reader.forEachChunk { bytes in bytes.withUnsafeBytes { for byte in $0 { received.record(byte) } } }
        }
        try await turnUntil { reader.end.isWaitingToRead }
        for packet in ["ab", "cd", "ef"] { #expect(CAsyncIO.write(ends[1], packet, 2) == 2) }
        try await turnUntil { received.all.count == 6 }
        chunks.cancel()
        _ = await chunks.result
      }
    }

    @Test("The transport of a pipe in packet mode", arguments: LoopKind.allCases)
    func packetsToAProtocol(kind: LoopKind) async throws {
      try await kind.run { loop in
        let ends = try Self.makePacketPipe()
        defer { _ = CAsyncIO.close(ends[1]) }
        let (transport, proto) = try await loop.connectReadPipe(ends[0]) { ScriptedProtocol() }
        for round in 1...3 {
          for _ in 0..<3 { try await sleep(for: .zero) }
          for packet in ["ab", "cd", "ef"] { #expect(CAsyncIO.write(ends[1], packet, 2) == 2) }
          try await turnUntil { proto.received.count >= 6 * round }
        }
        transport.close()
        try await turnUntil { proto.isLost }
      }
    }

    @Test("A socket of records, as a pipe and by hand", arguments: LoopKind.allCases)
    func records(kind: LoopKind) async throws {
      try await kind.run { loop in
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
        for end in ends { casyncio_set_nonblocking(end) }
        let reader = try PipeReader(owning: ends[0])
        let reading = try loopTask { try await reader.readExactly(6) }
        try await turnUntil { reader.end.isWaitingToRead }
        for record in ["ab", "cd", "ef"] { #expect(send(ends[1], record, 2, 0) == 2) }
        #expect(try await reading.value == Array("abcdef".utf8))
        let other = try Socket(fileDescriptor: ends[1])
        let receiving = try loopTask {
          var records: [[UInt8]] = []
          while records.count < 3 { records.append(try await other.receive(upTo: 10)) }
          return records
        }
        for _ in 0..<3 { try await sleep(for: .zero) }
        for record in ["ab", "cd", "ef"] { #expect(send(ends[0], record, 2, 0) == 2) }
        #expect(try await receiving.value == ["ab", "cd", "ef"].map { Array($0.utf8) })
        reader.close()
        other.close()
      }
    }

    @Test("A terminal gives a line at a time", arguments: LoopKind.allCases)
    func lines(kind: LoopKind) async throws {
      try await kind.run { loop in
        let terminal = try Terminal()
        defer { _ = CAsyncIO.close(terminal.master) }
        let reader = try PipeReader(owning: terminal.device)
        for _ in 0..<3 {
          let reading = try loopTask { try await reader.readExactly(9) }
          try await turnUntil { reader.end.isWaitingToRead }
          #expect(CAsyncIO.write(terminal.master, "ab\ncd\nef\n", 9) == 9)
          #expect(try await reading.value == Array("ab\ncd\nef\n".utf8))
        }
        reader.close()
      }
    }
  #endif

  @Test("A selector of changes that says nothing of urgent bytes is not believed")
  func foreignSelector() async throws {
    #if os(Linux)
      /// Epoll as somebody else would wrap it.
      final class Wrapped: IOSelector, @unchecked Sendable {
        private let inner: any IOSelector
        init() throws { inner = try Selectors.epoll() }
        var name: String { "wrapped" }
        var supportsEdgeTriggering: Bool { true }
        var hasSubMillisecondWaits: Bool { true }
        func register(_ fd: Int32, interest: SelectorFlags, token: UInt64) throws(Errno) {
          try inner.register(fd, interest: interest.subtracting(.urgent), token: token)
        }
        func unregister(_ fd: Int32) { inner.unregister(fd) }
        func reset() throws(Errno) { try inner.reset() }
        func select(timeout: Int64, into events: UnsafeMutableBufferPointer<SelectorEvent>) throws(Errno) -> Int {
          try inner.select(timeout: timeout, into: events)
        }
        func wake() { inner.wake() }
        func close() { inner.close() }
      }
      let loop = SelectorEventLoop(selector: try Wrapped())
      defer { try? loop.close() }
      try await loop.run {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        defer { listener.close() }
        let near = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        let far = try await listener.accept()
        let reading = try loopTask { try await far.readExactly(6) }
        try await turnUntil { far.isReading }
        let number = near.descriptor.fileDescriptor
        #expect(send(number, "abc", 3, 0) == 3 && send(number, "!", 1, Int32(MSG_OOB)) == 1)
        #expect(send(number, "def", 3, 0) == 3)
        #expect(try await reading.value == Array("abcdef".utf8))
        near.close()
        far.close()
      }
    #endif
  }
}
