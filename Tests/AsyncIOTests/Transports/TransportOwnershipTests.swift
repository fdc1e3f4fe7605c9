import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

@Suite("Who owns sockets, transports and servers")
struct TransportOwnershipTests {
  @Test("a transport that is dropped says so and closes its socket", arguments: LoopKind.allCases)
  func dropped(_ kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let log = CapturedLog(of: loop)
    try await loop.run {
      let sockets = try SocketPair()
      func make() async throws {
        let (transport, proto) = try await loop.connectAcceptedSocket(sockets.a) { ScriptedProtocol() }
        sockets.release(sockets.a)
        proto.transport = nil
        transport.pauseReading()
      }
      try await make()
      try await turnUntil { sockets.read(from: sockets.b) == 0 }
    }
    try loop.close()
    #expect(log.messages.count { $0.contains("was not closed: it was dropped") } == 1, "\(log.messages)")
  }

  @Test("a transport that reads is held by its loop", arguments: LoopKind.allCases)
  func held(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let sockets = try SocketPair()
      var count = 0
      func make() async throws {
        let (_, proto) = try await loop.connectAcceptedSocket(sockets.a) {
          ScriptedProtocol { $0.onData = { count = $0.received.count } }
        }
        sockets.release(sockets.a)
        proto.transport = nil
      }
      try await make()
      sockets.write(7, to: sockets.b)
      try await turnUntil { count == 7 }
      sockets.close(sockets.b)
    }
  }

  @Test(
    "a transport that has ended holds no protocol, not even one that it is given then", arguments: LoopKind.allCases)
  func heirOfEnded(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      weak var stream: StreamTransport?
      weak var datagrams: DatagramTransport?
      weak var pipe: ReadPipeTransport?
      weak var child: SubprocessTransport?
      func make() async throws {
        let pair = try await loop.makePair { _ in }
        stream = pair.transport
        let (endpoint, _) = try await loop.createDatagramEndpoint(
          localAddress: .host("127.0.0.1", port: 0)
        ) { Heir() }
        datagrams = endpoint
        let ends = try makePipe()
        let (reader, _) = try await loop.connectReadPipe(ends.read) { Heir() }
        pipe = reader
        let (process, _) = try await loop.subprocessExec(
          "true", standardInput: .null, standardOutput: .null, standardError: .null
        ) { Heir() }
        child = process
        for transport in [pair.transport, endpoint, reader, process] as [BaseTransport] {
          transport.abort()
          try await turnUntil { (try? transport.getProtocol()) == nil }
          let heir = Heir()
          heir.transport = transport
          try transport.setProtocol(heir)
          #expect(try transport.getProtocol() == nil)
          #expect(throws: EventLoopError.self) { try transport.setProtocol(Nobody()) }
        }
        pair.sockets.close(pair.peer)
        _ = CAsyncIO.close(ends.write)
      }
      try await make()
      // What ended with the system's help goes a few turns later.
      for _ in 0..<1000 where stream != nil || datagrams != nil || pipe != nil || child != nil { await Task.yield() }
      #expect(stream == nil)
      #expect(datagrams == nil)
      #expect(pipe == nil)
      #expect(child == nil)
    }
  }

  @Test("a loop that is closed ends what is left, and calls nobody", arguments: LoopKind.allCases)
  func closedLoop(_ kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await expectNoLeaks {
        let loop = try kind.makeLoop()
        let log = CapturedLog(of: loop)
        let events = Recorder<String>()
        let peers = Recorder<SocketPair>()
        try await loop.run {
          // Reading; paused with bytes that wait, a circle that nobody else would break; sending what nobody reads;
          // closed with bytes that wait.
          for kind in ["reading", "paused", "writing", "closing"] {
            let pair = try await loop.makePair { proto in
              proto.onLost = { events.record("\(kind) was told") }
            }
            peers.record(pair.sockets)
            if kind == "paused" { pair.transport.pauseReading() }
            if kind != "reading" { pair.sockets.write(5, to: pair.peer) }
            if kind == "writing" || kind == "closing" { try pair.transport.write(numbered(0..<3_000_000)) }
            if kind == "closing" { pair.transport.close() }
          }
          for _ in 0..<5 { try await sleep(for: .zero) }
        }
        try loop.close()
        #expect(events.all == [])
        #expect(log.messages.count { $0.contains("was not closed: its loop was closed") } == 3, "\(log.messages)")
        for sockets in peers.all {
          var n = 1
          while n > 0 { n = sockets.read(65536, from: sockets.b) }
          #expect(n == 0 || casyncio_errno() == ECONNRESET)
        }
      }
    }
  }

  @Test("a loop that is closed ends who waits for a server", arguments: LoopKind.allCases)
  func closedLoopWithServer(_ kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await expectNoLeaks {
        let loop = try kind.makeLoop()
        let tasks = Recorder<Task<Void, any Error>>()
        try await loop.run {
          let server = try await loop.createServer(host: "127.0.0.1", port: 0) { ScriptedProtocol() }
          let deferred = try await loop.createServer(host: "127.0.0.1", port: 0, startServing: false) {
            ScriptedProtocol()
          }
          tasks.record(try loopTask { try await server.serveForever() })
          tasks.record(try loopTask { try await server.waitClosed() })
          tasks.record(try loopTask { try await deferred.waitClosed() })
          for _ in 0..<3 { try await sleep(for: .zero) }
        }
        try loop.close()
        for task in tasks.all {
          let error = try await failure(EventLoopError.self) { try await task.value }
          #expect(error.code == .closed)
        }
      }
    }
  }

  @Test("a socket stays the caller's when the factory throws, and is refused when it cannot be a transport's")
  func refusedSockets() async throws {
    struct NoProtocol: Error {}
    try await LoopKind.epoll.run { loop in
      let sockets = try SocketPair()
      _ = try await failure(NoProtocol.self) {
        _ = try await loop.connectAcceptedSocket(sockets.a) { () throws -> ScriptedProtocol in throw NoProtocol() }
      }
      sockets.write(3, to: sockets.b)
      #expect(sockets.read(from: sockets.a) == 3)
      let (transport, _) = try await loop.createConnection(socket: sockets.a) { ScriptedProtocol() }
      sockets.release(sockets.a)
      let owned = try await failure(EventLoopError.self) {
        _ = try await loop.createConnection(socket: sockets.a) { ScriptedProtocol() }
      }
      #expect(owned.code == .invalidState)
      expectRefusal(.invalidState) { try loop.addReader(sockets.a) {} }
      transport.close()
      let closed = try await failure(IOError.self) {
        _ = try await loop.createConnection(socket: 9999) { ScriptedProtocol() }
      }
      #expect(closed.errno == .badFileDescriptor)
    }
  }

  @Test("a client whose transport was dropped does not hold up waitClosed", arguments: LoopKind.allCases)
  func droppedClient(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      var dropped = 0
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
        ScriptedProtocol {
          $0.onMade = { [unowned proto = $0] transport in
            transport.pauseReading()
            proto.transport = nil
            dropped += 1
          }
        }
      }
      let port = try #require(server.addresses[0].port)
      let (_, client) = try await loop.createConnection(host: "127.0.0.1", port: port) { ScriptedProtocol() }
      try await turnUntil { client.isLost }
      #expect(dropped == 1)
      server.close()
      try await server.waitClosed()
    }
  }

  @Test("a cancelled waitClosed throws, and leaves the server as it is", arguments: LoopKind.allCases)
  func cancelledWait(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) { ScriptedProtocol() }
      let waiting = try loopTask { try await server.waitClosed() }
      for _ in 0..<3 { try await sleep(for: .zero) }
      waiting.cancel()
      await #expect(throws: CancellationError.self) { try await waiting.value }
      #expect(server.isServing)
      server.close()
      try await server.waitClosed()
    }
  }

  @Test("a Unix server echoes and takes its file away", arguments: LoopKind.allCases)
  func unix(_ kind: LoopKind) async throws {
    let directory = makeTemporary { String(cString: mkdtemp($0)) }.result
    defer { rmdir(directory) }
    let path = "\(directory)/socket"
    try await kind.run { loop in
      let server = try await loop.createUnixServer(path: path) {
        ScriptedProtocol { $0.onData = { try $0.transport?.write($0.received) } }
      }
      let (transport, proto) = try await loop.createUnixConnection(path: path) { ScriptedProtocol() }
      try transport.write("over a file")
      try await turnUntil { proto.received == Array("over a file".utf8) }
      #expect(transport.getExtraInfo(.peername)?.unixPath == path)
      transport.close()
      server.close()
      try await server.waitClosed()
      #expect(access(path, F_OK) != 0)
    }
  }
}

/// Serves any transport, and holds it.
private final class Heir: StreamProtocol, DatagramProtocol, SubprocessProtocol {
  var transport: BaseTransport?
  func dataReceived(_ bytes: RawSpan) throws {}
  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {}
}

/// Serves none.
private final class Nobody: BaseProtocol {}
