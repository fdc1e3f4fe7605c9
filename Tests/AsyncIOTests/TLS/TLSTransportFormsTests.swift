import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// What protocols and files do over TLS as they do without.
@Suite(
  "TLS transports: buffers and files",
  .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSTransportFormsTests {
  /// A protocol that lends a small array again and again.
  private final class Buffered: BufferedProtocol {
    var received: [UInt8] = []
    var hasEnded = false
    private var storage: [UInt8]

    init(room: Int) { storage = [UInt8](repeating: 0, count: room) }
    func withBuffer(sizeHint: Int, _ fill: (inout MutableRawSpan) -> Void) { lend(&storage, to: fill) }
    func bufferUpdated(_ count: Int) { received += storage[..<count] }
    func eofReceived() -> Bool {
      hasEnded = true
      return false
    }
  }

  /// Protocols that send back what they get.
  private final class Echoes {
    var all: [ScriptedProtocol] = []

    func make() -> ScriptedProtocol {
      all.append(ScriptedProtocol { $0.onData = { it in try it.transport?.write(it.received) } })
      return all[all.count - 1]
    }
  }

  @Test("A protocol with memory of its own gets every byte", arguments: LoopKind.allCases, [7, 1_000, 100_000])
  func buffered(_ kind: LoopKind, _ room: Int) async throws {
    try await kind.run { loop in
      let bytes = numbered(0..<300_000)
      let server = try await loop.createServer(
        host: "127.0.0.1", port: 0, tls: TLSContext(TLSSessionTests.server())
      ) {
        ScriptedProtocol {
          $0.onMade = { transport in
            try transport.write(bytes)
            transport.close()
          }
        }
      }
      let (_, client) = try await loop.createConnection(
        host: "127.0.0.1", port: server.addresses[0].port!, tls: TLSContext(TLSSessionTests.client()),
        serverHostname: "localhost"
      ) { Buffered(room: room) }
      try await turnUntil { client.hasEnded }
      #expect(client.received == bytes)
      server.close()
      try await server.waitClosed()
    }
  }

  @Test(
    "sendfile reads the file where the system could not encrypt it, and says so if it must not",
    arguments: LoopKind.allCases)
  func sendfile(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let ends = try await TLSTransportTests.makeEnds(on: loop)
      let file = try FileDescriptor.open(FilePath(TestCertificates.shared.path("chain.pem")), .readOnly)
      defer { try? file.close() }
      let error = try await failure(EventLoopError.self) {
        try await loop.sendfile(ends.transport, file, fallback: false)
      }
      #expect(error.code == .notOffered)
      try ends.transport.write("before ")
      let count = try await loop.sendfile(ends.transport, file, offset: 5, count: 20)
      #expect(count == 20)
      #expect(try file.seek(offset: 0, from: .current) == 25)
      try ends.transport.write(" after")
      try await turnUntil { ends.accepted.received.count == 33 }
      #expect(String(decoding: ends.accepted.received, as: UTF8.self) == "before BEGIN CERTIFICATE--- after")
      ends.close()
      try await turnUntil { ends.client.isLost && ends.accepted.isLost }
    }
  }

  @Test(
    "Unix sockets, sockets of the caller, and several hosts are protected like any other",
    arguments: LoopKind.allCases)
  func everywhere(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let (client, server) = (try TLSContext(TLSSessionTests.client()), try TLSContext(TLSSessionTests.server()))
      let path = makeTemporary { mkdtemp($0) }.path + "/socket"
      defer { unlink(path) }
      // Right because all of it runs in the loop's thread.
      nonisolated(unsafe) let served = Echoes()
      let unix = try await loop.createUnixServer(path: path, tls: server) { served.make() }
      let hosts = try await loop.createServer(hosts: ["127.0.0.1", "::1"], port: 0, tls: server) { served.make() }
      let sockets = try SocketPair()
      let (near, far) = (sockets.a, sockets.b)
      for end in [near, far] { sockets.release(end) }
      let accepting = try loopTask { _ = try await loop.connectAcceptedSocket(far, tls: server) { served.make() } }

      let port = try #require(hosts.addresses.first?.port)
      let ways: [() async throws -> (StreamTransport, ScriptedProtocol)] = [
        {
          try await loop.createUnixConnection(path: path, tls: client, serverHostname: "localhost") {
            ScriptedProtocol()
          }
        },
        {
          try await loop.createConnection(host: "127.0.0.1", port: port, tls: client, serverHostname: "localhost") {
            ScriptedProtocol()
          }
        },
        {
          try await loop.createConnection(socket: near, tls: client, serverHostname: "localhost") {
            ScriptedProtocol()
          }
        },
      ]
      for way in ways {
        let (transport, proto) = try await way()
        try transport.write("question")
        try await turnUntil { proto.received == Array("question".utf8) }
        #expect(transport.getExtraInfo(.tls)?.version == "TLSv1.3")
        transport.close()
        try await turnUntil { proto.isLost }
      }
      try await accepting.value
      try await turnUntil { served.all.allSatisfy(\.isLost) }
      #expect(served.all.count == 3)
      for server in [unix, hosts] {
        server.close()
        try await server.waitClosed()
      }
    }
  }

  @Test("Streams over Unix sockets and to addresses", arguments: LoopKind.allCases)
  func streams(_ kind: LoopKind) async throws {
    try await kind.run { _ in
      let (client, server) = (try TLSContext(TLSSessionTests.client()), try TLSContext(TLSSessionTests.server()))
      let path = makeTemporary { mkdtemp($0) }.path + "/socket"
      defer { unlink(path) }
      let listeners = [
        try await StreamListener.bind(unixPath: path, tls: server),
        try await StreamListener.bind(hosts: ["127.0.0.1"], port: 0, tls: server),
      ]
      for listener in listeners {
        async let accepted = listener.accept()
        let near = try await StreamConnection.connect(
          to: listener.addresses[0], tls: client, serverHostname: "localhost")
        let far = try await accepted
        try await near.write("over TLS")
        #expect(try await far.readExactly(8) == Array("over TLS".utf8))
        near.close()
        #expect(try await far.readToEnd() == [])
        far.close()
        listener.close()
      }
    }
  }

  @Test("Arguments that do not fit are refused before anything is opened", arguments: LoopKind.allCases)
  func refusals(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let (client, server) = (try TLSContext(TLSSessionTests.client()), try TLSContext(TLSSessionTests.server()))
      let nowhere = try SocketAddress(unixPath: "/nowhere")
      let calls: [() async throws -> Void] = [
        { _ = try await StreamConnection.connect(host: "127.0.0.1", port: 1, serverHostname: "localhost") },
        { _ = try await StreamConnection.connect(host: "127.0.0.1", port: 1, tls: server) },
        { _ = try await StreamConnection.connect(to: nowhere, tls: client) },
        { _ = try await StreamConnection.connect(unixPath: "/nowhere", tls: client) },
        { _ = try await StreamListener.bind(port: 0, tls: client) },
        { _ = try await StreamListener.bind(unixPath: "/nowhere/socket", tls: client) },
        { _ = try await loop.createConnection(socket: 0, tls: client) { ScriptedProtocol() } },
        { _ = try await loop.connectAcceptedSocket(0, tls: client) { ScriptedProtocol() } },
        { _ = try await loop.createServer(port: 0, tls: client) { ScriptedProtocol() } },
        { _ = try await loop.createUnixServer(path: "/nowhere/socket", tls: client) { ScriptedProtocol() } },
        { _ = try await loop.createUnixConnection(path: "/nowhere", tls: client) { ScriptedProtocol() } },
      ]
      for (index, call) in calls.enumerated() {
        let error = try await failure(EventLoopError.self) { try await call() }
        #expect(error.code == .invalidArgument, "\(index): \(error)")
      }
      let pair = try await StreamPair.make()
      defer { pair.close() }
      for (context, name) in [(client, nil), (server, "localhost")] as [(TLSContext, String?)] {
        let error = try await failure(EventLoopError.self) {
          try await pair.near.startTLS(context, serverHostname: name)
        }
        #expect(error.code == .invalidArgument, "\(error)")
      }
      try await pair.near.write("the connection is as it was")
      #expect(try await pair.far.read(upTo: 100).count == 27)
    }
  }
}
