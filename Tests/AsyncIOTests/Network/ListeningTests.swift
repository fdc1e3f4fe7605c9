import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Sockets of servers: lines 82 and 83 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct ListeningTests {
  private func answer(_ hosts: [String], port: UInt16, on loop: BaseEventLoop) {
    loop.nameService = NameService(addresses: { _ in
      hosts.map { AddressInfo(SocketAddress(ipLiteral: $0, port: port)!) }
    })
  }

  @Test("82: duplicates of several hosts are bound once; each address has its port", arguments: LoopKind.allCases)
  func hosts(kind: LoopKind) async throws {
    try await kind.run { loop in
      answer(["127.0.0.1", "127.0.0.2"], port: 0, on: loop)
      let listener = try await StreamListener.bind(hosts: ["127.0.0.1", "name", "127.0.0.1", "127.0.0.3"], port: 0)
      defer { listener.close() }
      #expect(listener.addresses.map(\.host) == ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
      let ports = listener.addresses.compactMap(\.port)
      #expect(!ports.contains(0) && ports.count == 3)
      for address in listener.addresses {
        let client = try await StreamConnection.connect(to: address)
        let accepted = try await listener.accept()
        #expect(accepted.localAddress == address)
        accepted.close()
        client.close()
      }
    }
  }

  @Test("82: no host is every interface; a family picks one", arguments: LoopKind.allCases)
  func interfaces(kind: LoopKind) async throws {
    try await kind.run { _ in
      for host in [nil, ""] {
        let one = try await StreamListener.bind(host: host, port: 0, family: .ipv4)
        #expect(one.addresses.map(\.host) == ["0.0.0.0"])
        one.close()
      }
      let all = try await StreamListener.bind(port: 0)
      #expect(all.addresses.map(\.host).first == "0.0.0.0")
      all.close()
    }
  }

  @Test("82: an address that this machine does not have is skipped, but not all of them", arguments: LoopKind.allCases)
  func unavailable(kind: LoopKind) async throws {
    try await kind.run { loop in
      answer(["203.0.113.1", "127.0.0.1"], port: 0, on: loop)
      let listener = try await StreamListener.bind(host: "name", port: 0)
      #expect(listener.addresses.map(\.host) == ["127.0.0.1"])
      listener.close()
      answer(["203.0.113.1", "203.0.113.2"], port: 7, on: loop)
      let error = try await failure(IOError.self) { _ = try await StreamListener.bind(host: "name", port: 7) }
      #expect(error.errno == .addressNotAvailable)
      #expect(error.description.contains("bind 203.0.113.1:7, 203.0.113.2:7"), "\(error)")
    }
  }

  @Test("82: any other failure names the address and closes what was open", arguments: LoopKind.allCases)
  func failing(kind: LoopKind) async throws {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await kind.run { loop in
        let busy = try await StreamListener.bind(host: "127.0.0.2", port: 0)
        let port = busy.port
        loop.nameService = NameService(addresses: { _ in
          ["127.0.0.1", "127.0.0.2"].map { AddressInfo(SocketAddress(ipLiteral: $0, port: port)!) }
        })
        let error = try await failure(IOError.self) { _ = try await StreamListener.bind(host: "name", port: port) }
        #expect(error.errno == .addressInUse && error.subject == "127.0.0.2:\(port)")
        let free = try await StreamListener.bind(host: "127.0.0.1", port: port)
        free.close()
        busy.close()
      }
    }
  }

  @Test("81: no hosts and then a bad backlog are refused, before anything is looked up", arguments: LoopKind.allCases)
  func arguments(kind: LoopKind) async throws {
    try await kind.run { _ in
      let none = try await failure(EventLoopError.self) {
        _ = try await StreamListener.bind(hosts: [], port: 0, backlog: 0)
      }
      #expect(none.code == .invalidArgument && none.description.contains("StreamListener.bind: hosts is empty"))
      let backlog = try await failure(EventLoopError.self) {
        _ = try await StreamListener.bind(hosts: ["no.such.host.invalid"], port: 0, backlog: -1)
      }
      #expect(backlog.code == .invalidArgument && backlog.description.contains("backlog is -1"))
    }
  }

  @Test(
    "83: a start that is put off refuses clients until then; again is fine, closed is an error",
    arguments: LoopKind.allCases)
  func deferredStart(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, startServing: false)
      #expect(listener.port != 0)
      let refused = try await failure(IOError.self) {
        _ = try await StreamConnection.connect(to: listener.addresses[0])
      }
      #expect(refused.errno == .connectionRefused)
      try listener.startServing()
      try listener.startServing()
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      let accepted = try await listener.accept()
      accepted.close()
      client.close()
      listener.close()
      let closed = try await failure(IOError.self) { try listener.startServing() }
      #expect(closed.errno == .badFileDescriptor && closed.description.contains("closed here"))
      let waiting = try await StreamListener.bind(host: "127.0.0.1", port: 0, startServing: false)
      async let connection = waiting.accept()
      try await turnUntil { waiting.accepting[0].state == .inFlight }
      let other = try await StreamConnection.connect(to: waiting.addresses[0])
      try await connection.close()
      other.close()
      waiting.close()
    }
  }

  @Test("keepAlive and TCP_NODELAY are set on accepted connections", arguments: LoopKind.allCases)
  func options(kind: LoopKind) async throws {
    try await kind.run { _ in
      for keepAlive in [false, true] {
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, keepAlive: keepAlive)
        let pair = try await StreamPair.make(on: listener)
        #expect(option(pair.far, SOL_SOCKET, SO_KEEPALIVE) == (keepAlive ? 1 : 0))
        for end in [pair.near, pair.far] { #expect(option(end, Int32(IPPROTO_TCP), TCP_NODELAY) != 0) }
        pair.close()
        listener.close()
      }
    }
  }

  private func option(_ connection: StreamConnection, _ level: Int32, _ name: Int32) -> Int32 {
    var value: Int32 = -1
    var size = socklen_t(MemoryLayout<Int32>.size)
    #expect(getsockopt(connection.descriptor.fileDescriptor, level, name, &value, &size) == 0)
    return value
  }
}
