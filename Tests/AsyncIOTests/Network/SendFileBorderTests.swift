import AsyncIOConformance
import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Where a transfer of a file begins and ends: after what was written before, and with the last byte.
@Suite("The borders of a file's transfer", .timeLimit(.minutes(5)))
struct SendFileBorderTests {
  /// A source of numbered bytes: a file, or a pipe, which the system cannot send by itself.
  private final class Source: Sendable {
    let descriptor: FileDescriptor

    init(_ count: Int, isPipe: Bool = false) throws {
      if isPipe {
        let pipe = try FileDescriptor.pipe()
        descriptor = pipe.readEnd
        startThread {
          _ = try? pipe.writeEnd.writeAll(numbered(0..<count))
          try? pipe.writeEnd.close()
        }
      } else {
        descriptor = FileDescriptor(rawValue: unnamedFile())
        try descriptor.writeAll(numbered(0..<count))
        try descriptor.seek(offset: 0, from: .start)
      }
    }

    deinit { try? descriptor.close() }
  }

  /// The three ways to send a file.
  enum Form: String, CaseIterable, CustomTestStringConvertible {
    case connection, socket, transport
    var testDescription: String { rawValue }
  }

  private typealias Sending = @Sendable (Source, Int64?) async throws -> Int64

  /// Run the body with a call that sends a source over one end of a pair of Unix sockets, and the other end.
  private func with(
    _ kind: LoopKind, _ form: Form,
    _ body: @escaping @Sendable (_ send: @escaping Sending, SocketPair) async throws -> Void
  ) async throws {
    try await kind.run { loop in
      let sockets = try SocketPair()
      defer { sockets.release(sockets.a) }
      switch form {
      case .connection:
        let connection = StreamConnection(sockets.a, core: loop)
        defer { connection.close() }
        try await body({ try await connection.sendFile($0.descriptor, count: $1) }, sockets)
      case .socket:
        let socket = try Socket(fileDescriptor: sockets.a)
        defer { socket.close() }
        try await body({ try await socket.sendFile($0.descriptor, count: $1) }, sockets)
      case .transport:
        let made = try await loop.createConnection(socket: sockets.a) { ScriptedProtocol() }
        nonisolated(unsafe) let transport = made.0
        defer { transport.close() }
        try await body({ try await loop.sendfile(transport, $0.descriptor, count: $1) }, sockets)
      }
    }
  }

  @Test(
    "It returns with the last byte, and not when there is room again", arguments: LoopKind.allCases, Form.allCases)
  func returnsWhenSent(kind: LoopKind, form: Form) async throws {
    for isPipe in [false, true] {
      // More than a quarter of what the socket takes, so that it is not writable afterwards.
      for count in [nil, 100_000, 300_000] as [Int64?] {
        try await with(kind, form) { send, sockets in
          let source = try Source(100_000, isPipe: isPipe)
          #expect(try await send(source, count) == 100_000)
          var got = 0
          while case let n = sockets.read(1 << 16, from: sockets.b), n > 0 { got += n }
          #expect(got == 100_000)
        }
      }
    }
  }

  @Test(
    "A cancellation, or an addition to the file, when the last byte is with the peer comes too late",
    arguments: LoopKind.allCases,
    Form.allCases)
  func tooLate(kind: LoopKind, form: Form) async throws {
    for isPipe in [false, true] {
      // As much as a pipe takes as one.
      for count in [nil, 4000, 8000] as [Int64?] {
        try await with(kind, form) { send, sockets in
          let loop = try getRunningLoop()
          let source = try Source(4000, isPipe: isPipe)
          let sending = try loopTask { try await send(source, count) }
          /// Looks in each turn, before the task could have another one.
          @Sendable func look() {
            guard sockets.hasInput(sockets.b) else {
              _ = try? loop.callSoon { look() }
              return
            }
            if !isPipe { #expect(pwrite(source.descriptor.rawValue, numbered(4000..<5000), 1000, 4000) == 1000) }
            sending.cancel()
          }
          look()
          #expect(try await sending.value == 4000, "\(isPipe ? "pipe" : "file"), count \(count ?? -1)")
          #expect(sockets.read(1 << 16, from: sockets.b) == 4000)
        }
      }
    }
  }

  @Test("A file that says it is empty is sent", arguments: LoopKind.allCases, Form.allCases)
  func withoutSize(kind: LoopKind, form: Form) async throws {
    #if os(Linux)
      try await with(kind, form) { send, sockets in
        let source = try FileDescriptor.open("/proc/self/status", .readOnly)
        defer { try? source.close() }
        let copy = try Source(0)
        #expect(dup2(source.rawValue, copy.descriptor.rawValue) >= 0)
        let sent = try await send(copy, nil)
        #expect(sent > 100 && sockets.read(1 << 16, from: sockets.b) == Int(sent))
      }
    #endif
  }

  @Test("A peer that closes in the middle is an error", arguments: LoopKind.allCases, Form.allCases)
  func peerCloses(kind: LoopKind, form: Form) async throws {
    for isPipe in [false, true] {
      try await with(kind, form) { send, sockets in
        let source = try Source(8_000_000, isPipe: isPipe)
        let pair = sockets
        let reading = try loopTask {
          try await turnUntil { pair.read(1 << 16, from: pair.b) > 0 }
          for _ in 0..<3 { try await sleep(for: .zero) }
          pair.close(pair.b)
        }
        do {
          _ = try await send(source, nil)
          Issue.record("it was not sent")
        } catch let error as IOError {
          #expect([.brokenPipe, .connectionReset, .canceled].contains(error.errno), "\(error)")
        }
        try await reading.value
      }
    }
  }

  @Test("Cancelled behind earlier writes, it leaves them alone", arguments: LoopKind.allCases)
  func cancelledBehindWrites(kind: LoopKind) async throws {
    for wasPaused in [false, true] {
      try await kind.run { loop in
        let pair = try await loop.makePair()
        nonisolated(unsafe) let transport = pair.transport
        if wasPaused { transport.pauseReading() }
        try transport.write(numbered(0..<2_000_000))
        let source = try Source(1000)
        let sending = try loopTask { _ = try await loop.sendfile(transport, source.descriptor) }
        try await turnUntil { transport.isSendingFile }
        for _ in 0..<3 { try await sleep(for: .zero) }
        #expect(transport.writeBufferSize > 0)
        sending.cancel()
        await #expect(throws: CancellationError.self) { try await sending.value }
        #expect(!transport.isSendingFile && transport.isReading == !wasPaused)
        try transport.write(numbered(2_000_000..<2_000_100))
        var got: [UInt8] = []
        try await turnUntil {
          got += pair.sockets.bytes(from: pair.peer)
          return got.count >= 2_000_100
        }
        #expect(got == numbered(0..<2_000_100))
        #expect(try await loop.sendfile(transport, source.descriptor) == 1000)
        transport.close()
        try await turnUntil { pair.proto.isLost }
        #expect(pair.proto.lost == nil)
      }
    }
  }

  @Test(
    "Closed, aborted or lost before it has begun, it throws and the rest is as it was", arguments: LoopKind.allCases)
  func endedBehindWrites(kind: LoopKind) async throws {
    for way in ["close", "abort", "peer"] {
      try await kind.run { loop in
        let pair = try await loop.makePair()
        nonisolated(unsafe) let transport = pair.transport
        try transport.write(numbered(0..<2_000_000))
        let source = try Source(1000)
        let sending = try loopTask { _ = try await loop.sendfile(transport, source.descriptor) }
        try await turnUntil { transport.isSendingFile }
        switch way {
        case "close": transport.close()
        case "abort": transport.abort()
        default: pair.sockets.close(pair.peer)
        }
        var got = 0
        if way == "close" {
          try await turnUntil {
            got += max(0, pair.sockets.read(1 << 16, from: pair.peer))
            return got == 2_000_000
          }
        }
        await #expect(throws: IOError.self) { try await sending.value }
        try await turnUntil { pair.proto.isLost }
        guard way == "close" else { return }
        #expect(pair.proto.lost == nil)
        try await turnUntil { pair.sockets.read(from: pair.peer) == 0 }
      }
    }
  }

  @Test("The size of what waits is never negative, and limits can be set meanwhile", arguments: LoopKind.allCases)
  func bufferSize(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      nonisolated(unsafe) let transport = pair.transport
      _ = SystemSockets.shared.setOption(pair.sockets.a, SOL_SOCKET, SO_SNDBUF, [4096])
      let source = try Source(400_000, isPipe: true)
      let sending = try loopTask { try await loop.sendfile(transport, source.descriptor) }
      var got = 0
      try await turnUntil {
        #expect(transport.writeBufferSize == 0)
        #expect(throws: Never.self) { try transport.setWriteBufferLimits(high: 1000 + got) }
        got += max(0, pair.sockets.read(3000, from: pair.peer))
        return got == 400_000
      }
      #expect(try await sending.value == 400_000)
      #expect(pair.proto.events == ["made"])
      transport.close()
    }
  }
}

extension SocketPair {
  fileprivate func hasInput(_ end: Int32) -> Bool {
    var waited = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
    return poll(&waited, 1, 0) == 1
  }

  fileprivate func bytes(from end: Int32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let n = CAsyncIO.read(end, &bytes, bytes.count)
    return n > 0 ? Array(bytes[..<n]) : []
  }
}
