import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Datagram endpoints, beyond lines 106 to 114 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct DatagramEndpointTests {
  @Test(
    "The file of a Unix endpoint goes with it; a stale one is replaced, any other file stays",
    arguments: LoopKind.allCases)
  func unixFile(kind: LoopKind) async throws {
    try await kind.run { _ in
      let directory = TemporaryDirectory()
      let path = "\(directory.path)/endpoint"
      let address = try SocketAddress(unixPath: path)
      let stale = try Socket(family: .unix, type: .datagram)
      try stale.bind(to: address)
      stale.close()
      #expect(access(path, F_OK) == 0)
      let endpoint = try await DatagramEndpoint.bind(to: address)
      let client = try await DatagramEndpoint.connect(
        to: address, from: try SocketAddress(unixPath: "\(directory.path)/client"))
      try await client.send(Array("hello".utf8))
      let datagram = try await endpoint.receive()
      try await endpoint.send(datagram.bytes, to: datagram.address)
      #expect(try await client.receive().bytes == Array("hello".utf8))
      endpoint.close()
      client.close()
      #expect(access(path, F_OK) != 0 && access("\(directory.path)/client", F_OK) != 0)
      let file = try FileDescriptor.open(path, .writeOnly, options: .create, permissions: .ownerReadWrite)
      try file.close()
      let error = try await failure(IOError.self) { _ = try await DatagramEndpoint.bind(to: address) }
      #expect(error.errno == .addressInUse)
      #expect(access(path, F_OK) == 0)
    }
  }

  @Test("A second receiver is refused; so is a second sender that waits", arguments: LoopKind.allCases)
  func busy(kind: LoopKind) async throws {
    try await kind.run { _ in
      let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
      let first = try loopTask { try await endpoint.receive() }
      try await turnUntil { endpoint.socket.receiving.state == .inFlight }
      let second = try await failure(EventLoopError.self) { _ = try await endpoint.receive() }
      #expect(second.code == .busy)
      let loop = try await failure(EventLoopError.self) { try await endpoint.forEachDatagram { _, _ in } }
      #expect(loop.code == .busy)
      try await endpoint.send([1], to: endpoint.localAddress)
      #expect(try await first.value.bytes == [1])
      endpoint.close()
    }
  }

  @Test("Datagrams are lent one after the other, even across a wait in the body", arguments: LoopKind.allCases)
  func lent(kind: LoopKind) async throws {
    try await kind.run { _ in
      let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
      let (far, farAddress) = try Datagrams.socket()
      defer { _ = close(far) }
      struct Enough: Error {}
      for number in 0..<20 {
        #expect(Datagrams.send(numbered(number..<number + 100 * number), from: far, to: endpoint.localAddress!) >= 0)
      }
      var count = 0
      await #expect(throws: Enough.self) {
        try await endpoint.forEachDatagram { bytes, address in
          try await sleep(for: .zero)
          #expect(bytes.withUnsafeBytes { Array($0) } == numbered(count..<count + 100 * count))
          #expect(address == farAddress)
          count += 1
          if count == 20 { throw Enough() }
        }
      }
      endpoint.close()
      let closed = try await failure(IOError.self) { try await endpoint.forEachDatagram { _, _ in } }
      #expect(closed.errno == .badFileDescriptor)
    }
  }

  @Test("A task of another thread uses an endpoint", arguments: LoopKind.allCases)
  func elsewhere(kind: LoopKind) async throws {
    try await kind.run { _ in
      let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
      let echo = Task.detached {
        try await endpoint.forEachDatagram { bytes, address in try await endpoint.send(bytes, to: address) }
      }
      let client = try await DatagramEndpoint.connect(to: endpoint.localAddress!)
      for number in 0..<100 {
        try await client.send(numbered(number..<number + number))
        #expect(try await client.receive().bytes == numbered(number..<number + number))
      }
      endpoint.close()
      await #expect(throws: IOError.self) { try await echo.value }
      client.close()
    }
  }

  @Test("Both ends must have an address of one family; each such family is tried", arguments: LoopKind.allCases)
  func families(kind: LoopKind) async throws {
    try await kind.run { loop in
      loop.nameService = NameService(addresses: { query in
        ["::1", "127.0.0.1"].compactMap { SocketAddress(ipLiteral: $0, port: UInt16(query.service ?? "0")!) }
          .map { AddressInfo($0, type: .datagram, proto: Int32(IPPROTO_UDP)) }
      })
      let server = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
      let port = server.localAddress!.port!
      let client = try await DatagramEndpoint.connect(host: "both", port: port, localHost: "127.0.0.1")
      #expect(client.remoteAddress == server.localAddress)
      #expect(client.localAddress?.host == "127.0.0.1")
      // The first family cannot be bound: the port is taken there.
      let other = try await DatagramEndpoint.bind(host: "::1", port: 0)
      let taken = other.localAddress!.port!
      let second = try await DatagramEndpoint.bind(host: "both", port: taken)
      #expect(second.localAddress?.isIPv4 == true)
      await #expect(throws: (any Error).self) {
        _ = try await DatagramEndpoint.connect(host: "127.0.0.1", port: port, localHost: "::1")
      }
      for endpoint in [server, client, other, second] { endpoint.close() }
    }
  }

  @Test("Endpoints that are dropped and cancelled leave nothing", arguments: LoopKind.allCases)
  func leaks(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      let work: @Sendable () async throws -> Void = {
        try await kind.run { _ in
          for _ in 0..<30 {
            let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
            let receiving = try loopTask { try await endpoint.receive() }
            try await sleep(for: .zero)
            receiving.cancel()
            _ = try? await receiving.value
          }
        }
      }
      try await work()
      try await expectNoLeaks { try await work() }
    }
  }
}
