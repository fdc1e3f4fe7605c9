import AsyncIOConformance
import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Row G3: a caller has its transport before its protocol gets any call but `connectionMade`, however busy the loop is.
@Suite("A transport is handed over before its input", .timeLimit(.minutes(5)))
struct HandOverTests {
  /// Keeps the loop busy: callbacks in every turn, as many as it takes for a task to have some in front of it.
  private final class Noise {
    private let loop: BaseEventLoop
    private var isOn = true

    init(_ loop: BaseEventLoop) throws {
      self.loop = loop
      try make()
    }

    private func make() throws {
      nonisolated(unsafe) let noise = self  // in the loop's thread
      try loop.callSoon { if noise.isOn { try noise.make() } }
    }

    func stop() { isOn = false }
  }

  private final class DatagramProbe: DatagramProtocol {
    var received = 0
    func datagramReceived(_ bytes: RawSpan, from sender: SocketAddress) { received += 1 }
  }

  private final class ChildProbe: SubprocessProtocol {
    var events: [String] = []
    func pipeDataReceived(_ fileDescriptor: Int32, _ bytes: RawSpan) { events.append("data \(fileDescriptor)") }
    func pipeConnectionLost(_ fileDescriptor: Int32, _ error: (any Error)?) { events.append("lost \(fileDescriptor)") }
    func processExited() { events.append("exit") }
    func connectionLost(_ error: (any Error)?) { events.append("over") }
  }

  /// Run the body several times on a loop that is busy, also with callbacks of `connectionMade` in the queue.
  private func busily(
    _ kind: LoopKind, _ body: @escaping @Sendable (BaseEventLoop) async throws -> Void
  ) async throws {
    try await kind.run { loop in
      let noise = try Noise(loop)
      defer { noise.stop() }
      for _ in 0..<10 { try await body(loop) }
    }
  }

  private static func chatty(_ script: @escaping (ScriptedProtocol) -> Void = { _ in }) -> ScriptedProtocol {
    ScriptedProtocol { proto in
      proto.onMade = { _ in try getRunningLoop().callSoon {} }
      script(proto)
    }
  }

  @Test("A socket that has bytes and an end already", arguments: LoopKind.allCases)
  func sockets(kind: LoopKind) async throws {
    for isAccepted in [false, true] {
      try await busily(kind) { loop in
        let sockets = try SocketPair()
        sockets.write(5, to: sockets.b)
        sockets.close(sockets.b)
        let (_, proto) =
          isAccepted
          ? try await loop.connectAcceptedSocket(sockets.a) { Self.chatty() }
          : try await loop.createConnection(socket: sockets.a) { Self.chatty() }
        sockets.release(sockets.a)
        #expect(proto.events == ["made"])
        try await turnUntil { proto.isLost }
        #expect(proto.events == ["made", "data", "end", "lost"] && proto.received.count == 5)
      }
    }
  }

  @Test("A pause and a resume of connectionMade do not begin the input either", arguments: LoopKind.allCases)
  func pausedAndResumed(kind: LoopKind) async throws {
    try await busily(kind) { loop in
      let sockets = try SocketPair()
      sockets.write(5, to: sockets.b)
      let (transport, proto) = try await loop.createConnection(socket: sockets.a) {
        ScriptedProtocol { proto in
          proto.onMade = { transport in
            transport.pauseReading()
            nonisolated(unsafe) let transport = transport
            try getRunningLoop().callSoon { transport.resumeReading() }
          }
        }
      }
      sockets.release(sockets.a)
      #expect(proto.events == ["made"])
      try await turnUntil { proto.received.count == 5 }
      transport.close()
      try await turnUntil { proto.isLost }
    }
  }

  @Test("A server that speaks first, by name and by path", arguments: LoopKind.allCases)
  func servers(kind: LoopKind) async throws {
    let directory = makeTemporary { mkdtemp($0) }.path
    defer { rmdir(directory) }
    try await busily(kind) { loop in
      for path in [nil, "\(directory)/s"] {
        func greeter() -> ScriptedProtocol { ScriptedProtocol { $0.onMade = { try $0.write("hello") } } }
        let (server, transport, proto): (Server, StreamTransport, ScriptedProtocol)
        if let path {
          server = try await loop.createUnixServer(path: path) { greeter() }
          (transport, proto) = try await loop.createUnixConnection(path: path) { Self.chatty() }
        } else {
          server = try await loop.createServer(host: "127.0.0.1", port: 0) { greeter() }
          let port = try #require(server.addresses[0].port)
          (transport, proto) = try await loop.createConnection(host: "127.0.0.1", port: port) { Self.chatty() }
        }
        #expect(proto.events == ["made"])
        try await turnUntil { proto.received.count == 5 }
        transport.close()
        server.close()
        try await server.waitClosed()
      }
    }
  }

  @Test("Datagrams that are there", arguments: LoopKind.allCases)
  func datagrams(kind: LoopKind) async throws {
    try await busily(kind) { loop in
      let (number, address) = try Datagrams.socket()
      #expect(Datagrams.send([1, 2], from: number, to: address) == 2)
      let (transport, proto) = try await loop.createDatagramEndpoint(socket: number) { DatagramProbe() }
      #expect(proto.received == 0)
      try await turnUntil { proto.received == 1 }
      transport.close()
      try await turnUntil { loop.backend.attached(number) == nil }
    }
  }

  @Test("Pipes: bytes and an end, and a reader that has gone", arguments: LoopKind.allCases)
  func pipes(kind: LoopKind) async throws {
    try await busily(kind) { loop in
      let ends = try makePipe()
      #expect(CAsyncIO.write(ends.write, "hello", 5) == 5)
      _ = CAsyncIO.close(ends.write)
      let (_, reading) = try await loop.connectReadPipe(ends.read) { Self.chatty() }
      #expect(reading.events == [])
      try await turnUntil { reading.isLost }
      #expect(reading.events == ["data", "end", "lost"])

      let others = try makePipe()
      _ = CAsyncIO.close(others.read)
      let (_, writing) = try await loop.connectWritePipe(others.write) { Self.chatty() }
      #expect(writing.events == [])
      try await turnUntil { writing.isLost }
    }
  }

  @Test("A child that has spoken and ended", arguments: LoopKind.allCases)
  func children(kind: LoopKind) async throws {
    try await busily(kind) { loop in
      let (transport, proto) = try await loop.subprocessShell("echo hello; exit 3") { ChildProbe() }
      #expect(proto.events == [])
      try await turnUntil { proto.events.last == "over" }
      #expect(proto.events.contains("data 1") && proto.events.contains("exit"))
      #expect(transport.returnCode == 3)
    }
  }
}
