import SystemPackage
import Testing

@testable import AsyncIO

/// Connecting, listening, accepting: lines 71, 72, 76 to 78 and 82 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct ConnectingTests {
  @Test("71: a refused connection names the address and the fix", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      listener.close()
      let error = try await failure(IOError.self) {
        _ = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      }
      #expect(error.errno == .connectionRefused)
      #expect(error.description.contains("127.0.0.1:\(listener.port)"), "\(error)")
      #expect(error.description.contains("Nothing listens there"), "\(error)")
    }
  }

  @Test("71: a name is resolved; one that does not exist is an error that names it", arguments: LoopKind.allCases)
  func names(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { listener.close() }
      let client = try await StreamConnection.connect(host: "localhost", port: listener.port)
      #expect(client.peerAddress?.port == listener.port)
      client.close()
      for name in ["does-not-exist.invalid", "with\0nul", String(repeating: "x", count: 2000)] {
        let error = try await failure(ResolutionError.self) {
          _ = try await StreamConnection.connect(host: name, port: 1)
        }
        #expect(error.host == name)
      }
    }
  }

  @Test("78: when all addresses fail the error lists every attempt", arguments: LoopKind.allCases)
  func allFail(kind: LoopKind) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      listener.close()
      let addresses = ["127.0.0.1", "127.0.0.2"].compactMap { SocketAddress(ipLiteral: $0, port: listener.port) }
      loop.nameService = NameService(addresses: { _ in addresses.map { AddressInfo($0) } })
      let error = try await failure(ConnectError.self) {
        _ = try await StreamConnection.connect(host: "two", port: listener.port)
      }
      #expect(error.attempts.map(\.subject) == addresses.map { "to \($0)" })
      #expect(error.description.contains("cannot connect to two"))
      let live = try await StreamListener.bind(host: "127.0.0.2", port: listener.port)
      defer { live.close() }
      let second = try await StreamConnection.connect(host: "two", port: listener.port)
      #expect(second.peerAddress == addresses[1], "the second address is tried after the first")
      second.close()
    }
  }

  @Test("A local host is the address connected from; wrong ones are refused", arguments: LoopKind.allCases)
  func localHost(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { listener.close() }
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port, localHost: "127.0.0.3")
      #expect(client.localAddress?.host == "127.0.0.3")
      client.close()
      let named = try await StreamConnection.connect(
        host: "127.0.0.1", port: listener.port, localHost: "localhost")
      #expect(named.localAddress?.host == "127.0.0.1", "a name also works; addresses of other families are passed over")
      named.close()
      let foreign = try await failure(IOError.self) {
        _ = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port, localHost: "192.0.2.1")
      }
      #expect(foreign.operation == "bind" && foreign.errno == .addressNotAvailable)
    }
  }

  @Test("82: port 0 is reported, a busy port is an error, reusePort shares one", arguments: LoopKind.allCases)
  func ports(kind: LoopKind) async throws {
    try await kind.run { _ in
      let first = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      #expect(first.port != 0)
      let error = try await failure(IOError.self) {
        _ = try await StreamListener.bind(host: "127.0.0.1", port: first.port)
      }
      #expect(error.errno == .addressInUse)
      #expect(error.description.contains("127.0.0.1:\(first.port)"))
      first.close()
      let a = try await StreamListener.bind(host: "127.0.0.1", port: 0, reusePort: true)
      let b = try await StreamListener.bind(host: "127.0.0.1", port: a.port, reusePort: true)
      #expect(a.port == b.port)
      a.close()
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: b.port)
      let accepted = try await b.accept()
      accepted.close()
      client.close()
      b.close()
      let negative = try await failure(EventLoopError.self) { _ = try await StreamListener.bind(port: 0, backlog: 0) }
      #expect(negative.code == .invalidArgument)
    }
  }

  @Test("72: a cancelled accept leaves the pending connection to the next one", arguments: LoopKind.allCases)
  func cancelAccept(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { listener.close() }
      for _ in 0..<50 {
        let accepting = try loopTask { try await listener.accept() }
        try await turnUntil { listener.accepting[0].state == .inFlight }
        async let connecting = StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        accepting.cancel()
        let server: StreamConnection
        switch await accepting.result {
        case .success(let connection): server = connection
        case .failure(let error):
          #expect(error is CancellationError)
          server = try await listener.accept()
        }
        let client = try await connecting
        #expect(server.peerAddress == client.localAddress)
        server.close()
        client.close()
      }
    }
  }

  @Test("A second accept is refused; close ends the first", arguments: LoopKind.allCases)
  func busyAccept(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let accepting = try loopTask { _ = try await listener.accept() }
      try await turnUntil { listener.accepting[0].state == .inFlight }
      let error = try await failure(EventLoopError.self) { _ = try await listener.accept() }
      #expect(error.code == .busy)
      listener.close()
      let ended = try await failure(IOError.self) { try await accepting.value }
      #expect(ended.errno == .canceled)
    }
  }

  @Test("77: a cancelled connect closes its socket", arguments: LoopKind.allCases)
  func cancelConnect(kind: LoopKind) async throws {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await kind.run { _ in
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, backlog: 1)
        let before = LiveCounters.snapshot["descriptors"]
        // The queue of the listener is full after a few; the rest wait for the handshake.
        var connecting: [Task<StreamConnection, any Error>] = []
        for _ in 0..<16 {
          connecting.append(try loopTask { try await StreamConnection.connect(host: "127.0.0.1", port: listener.port) })
        }
        for _ in 0..<20 { await Task.yield() }
        var cancelled = 0
        for task in connecting { task.cancel() }
        for task in connecting {
          switch await task.result {
          case .success(let connection): connection.close()
          case .failure(let error):
            #expect(error is CancellationError)
            cancelled += 1
          }
        }
        #expect(cancelled > 0)
        connecting = []
        try await turnUntil { LiveCounters.snapshot["descriptors"] == before }
        listener.close()
      }
    }
  }

  @Test("IPv6 works like IPv4", arguments: LoopKind.allCases)
  func ipv6(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener: StreamListener
      do { listener = try await StreamListener.bind(host: "::1", port: 0) } catch is IOError { return }
      defer { listener.close() }
      let client = try await StreamConnection.connect(host: "::1", port: listener.port)
      #expect(client.peerAddress?.description == "[::1]:\(listener.port)")
      #expect(client.peerAddress?.isIPv6 == true)
      client.close()
    }
  }
}
