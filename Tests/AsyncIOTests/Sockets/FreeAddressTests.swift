import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// What has ended for its user has ended for the system: an address is free when its socket is closed. Each test has a
/// process of its own: a child that another test is just starting would hold a copy of the socket for a moment.
@Suite(.timeLimit(.minutes(5)))
struct FreeAddressTests {
  private final class Told: DatagramProtocol {
    var whenLost: () -> Void = {}
    func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {}
    func connectionLost(_ error: (any Error)?) throws { whenLost() }
  }

  @Test("A port of UDP, closed while somebody receives", arguments: LoopKind.allCases)
  func endpoint(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.run { _ in
        let endpoint = try await DatagramEndpoint.bind(host: "127.112.0.1", port: 0)
        let address = try #require(endpoint.localAddress)
        let receiving = try loopTask { _ = try await endpoint.receive() }
        try await turnUntil { endpoint.socket.receiving.state == .inFlight }
        endpoint.close()
        try await DatagramEndpoint.bind(to: address).close()
        _ = try await failure(IOError.self) { try await receiving.value }
      }
    }
  }

  @Test("That of a transport whose protocol was told of the loss", arguments: LoopKind.allCases)
  func transport(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.run { loop in
        let (transport, told) = try await loop.createDatagramEndpoint(
          localAddress: .host("127.112.0.2", port: 0)
        ) { Told() }
        let address = try #require(transport.getExtraInfo(.sockname))
        await withUnsafeContinuation { continuation in
          told.whenLost = { continuation.resume() }
          transport.close()
        }
        try await DatagramEndpoint.bind(to: address).close()
      }
    }
  }

  @Test("That of a socket by hand whose receive was cancelled; an abstract Unix name", arguments: LoopKind.allCases)
  func byHand(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.run { _ in
        func check(_ family: AddressFamily, _ address: SocketAddress) async throws {
          let socket = try Socket(family: family, type: .datagram)
          try socket.bind(to: address)
          let own = try #require(socket.localAddress)
          let waiting = try loopTask { _ = try await socket.receive(upTo: 10) }
          try await turnUntil { socket.receiving.state == .inFlight }
          waiting.cancel()
          await #expect(throws: CancellationError.self) { try await waiting.value }
          socket.close()
          let second = try Socket(family: family, type: .datagram)
          try second.bind(to: own)
          second.close()
        }
        try await check(.ipv4, try #require(SocketAddress(ipLiteral: "127.112.0.3", port: 0)))
        #if os(Linux)
          try await check(.unix, try SocketAddress(unixPath: "\0asyncio-free-\(getpid())-\(kind)"))
        #endif
      }
    }
  }

  @Test("A port of TCP without reuse: a listener, a server's, a socket by hand", arguments: LoopKind.allCases)
  func listening(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.run { loop in
        let host = "127.112.1.\(1 + (LoopKind.allCases.firstIndex(of: kind) ?? 0))"
        func listen(_ port: UInt16) async throws -> StreamListener {
          try await StreamListener.bind(host: host, port: port, reuseAddress: false)
        }
        let first = try await listen(0)
        let accepting = try loopTask { _ = try await first.accept() }
        try await turnUntil { first.accepting[0].state == .inFlight }
        first.close()
        let again = try await listen(first.port)
        again.close()
        _ = try await failure(IOError.self) { try await accepting.value }

        let server = try await loop.createServer(host: host, port: first.port, reuseAddress: false) { Silent() }
        server.close()
        try await listen(first.port).close()

        let socket = try Socket(family: .ipv4)
        try socket.bind(to: first.addresses[0])
        try socket.listen()
        let waiting = try loopTask { _ = try await socket.accept() }
        try await turnUntil { socket.receiving.state == .inFlight }
        socket.close()
        try await listen(first.port).close()
        _ = try await failure(IOError.self) { try await waiting.value }
      }
    }
  }

  private final class Silent: StreamProtocol {
    func dataReceived(_ bytes: RawSpan) throws {}
  }

  @Test("The events of what was closed so meet nobody else", arguments: LoopKind.allCases)
  func reuse(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.run { _ in
        let far = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
        let address = try #require(far.localAddress)
        for round in 0..<50 {
          let near = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
          let waiting = try loopTask { _ = try await near.receive() }
          try await turnUntil { near.socket.receiving.state == .inFlight }
          near.close()
          // Mostly the same number, in the same turn.
          let next = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
          let receiving = try loopTask { try await next.receive().bytes }
          try await next.send([UInt8(round)], to: address)
          let (_, sender) = try await far.withDatagram { ($0.byteCount, $1) }
          try await far.send([UInt8(round), 1], to: sender)
          #expect(try await receiving.value == [UInt8(round), 1])
          next.close()
          _ = try await failure(IOError.self) { try await waiting.value }
        }
        far.close()
      }
    }
  }
}
