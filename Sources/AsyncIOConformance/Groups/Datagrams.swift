internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group H.
  static let datagramChecks: [ConformanceCheck] = datagramCallChecks + datagramTransportChecks

  /// In the form of calls.
  private static let datagramCallChecks: [ConformanceCheck] = [
    ConformanceCheck(106, "An echo over the loopback; addresses are reported", capabilities: .datagrams) { subject in
      try subject.run { _ in
        let server = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
        let client = try await DatagramEndpoint.connect(host: "127.0.0.1", port: server.localAddress!.port!)
        defer {
          server.close()
          client.close()
        }
        try subject.expect("peer", client.remoteAddress == server.localAddress)
        let echo = try startTask {
          try await server.forEachDatagram { bytes, address in try await server.send(bytes, to: address) }
        }
        for bytes in [Array("ping".utf8), numbered(0..<1400)] {
          try await client.send(bytes)
          let answer = try await client.receive()
          try subject.expect("answer", answer.bytes == bytes)
          try subject.expect("from", answer.address == server.localAddress)
        }
        echo.cancel()
        try subject.expect("end", await outcome { try await echo.value }, "cancelled")
      }
    },
    ConformanceCheck(107, "Empty datagrams are sent and delivered", capabilities: .datagrams) { subject in
      try subject.run { _ in
        let (near, far) = try await pair()
        defer { close(near, far) }
        try await near.send([])
        try await near.send([1])
        let first = try await far.receive()
        try subject.expect("first", first.bytes, [])
        try await far.send([], to: first.address)
        try subject.expect("second", try await far.receive().bytes, [1])
        try subject.expect("back", try await near.receive().bytes, [])
      }
    },
    ConformanceCheck(108, "A connected endpoint refuses other addresses", capabilities: .datagrams) { subject in
      try subject.run { _ in
        let (near, far) = try await pair()
        defer { close(near, far) }
        let invalid = "\(EventLoopError.Code.invalidArgument)"
        try subject.expect("foreign", await outcome { try await near.send([1], to: loopback(9)) }, invalid)
        try subject.expect("its own", await outcome { try await near.send([1], to: far.localAddress) }, "done")
        try subject.expect("none where one is needed", await outcome { try await far.send([1]) }, invalid)
        try subject.expect("delivered", try await far.receive().bytes, [1])
      }
    },
    ConformanceCheck(
      109, "An unreachable port is one error; the endpoint goes on both ways", capabilities: .datagrams
    ) { subject in
      guard Process.hearsOfUnreachablePorts else { try subject.notOffered("datagrams to nobody are lost here") }
      try subject.run { _ in
        let gone = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
        let address = gone.localAddress!
        gone.close()
        let near = try await DatagramEndpoint.connect(to: address)
        defer { near.close() }
        let waiting = try startTask { try await near.receive() }
        try await letTurn()
        try await near.send([1])
        try subject.expect("receive", await outcome { try await waiting.value }, "\(Errno.connectionRefused)")
        let far = try await DatagramEndpoint.bind(to: address)
        defer { far.close() }
        try await near.send([2])
        let datagram = try await far.receive()
        try subject.expect("there", datagram.bytes, [2])
        try await far.send([3], to: datagram.address)
        try subject.expect("back", try await near.receive().bytes, [3])
      }
    },
    ConformanceCheck(
      110, "A full buffer makes the sender wait, and the order is kept", facet: "calls",
      capabilities: [.datagrams, .unixSockets]
    ) { subject in
      try subject.run { _ in
        let (near, far) = try await unixPair()
        defer { close(near, far) }
        let count = 2000
        let sending = try startTask {
          for number in 0..<count { try await near.send(numbered(number..<number + 4000)) }
        }
        try await letTurn(20)
        for number in 0..<count {
          let bytes = try await far.receive().bytes
          try subject.require(bytes == numbered(number..<number + 4000), "datagram \(number) is another one")
        }
        try await sending.value
      }
    },
    ConformanceCheck(111, "A close ends what waits", facet: "calls", capabilities: [.datagrams, .unixSockets]) {
      subject in
      try subject.run { _ in
        let (near, far) = try await unixPair()
        defer { close(near, far) }
        let receiving = try startTask { try await near.receive() }
        let sending = try startTask { while true { try await near.send(numbered(0..<4000)) } }
        try await letTurn(20)
        near.close()
        try subject.expect("receive", await outcome { try await receiving.value }, "\(Errno.canceled)")
        try subject.expect("send", await outcome { try await sending.value }, "\(Errno.canceled)")
        try subject.expect("what was sent arrives", try await far.receive().bytes == numbered(0..<4000))
      }
    },
    ConformanceCheck(
      111, "The port is free when close returns, even while a task receives", facet: "free", capabilities: .datagrams,
      // A child that another check starts would hold a copy of the socket for a moment.
      surroundings: .ownProcess
    ) { subject in
      try subject.run { _ in
        let near = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
        let address = near.localAddress!
        let receiving = try startTask { try await near.receive() }
        try await letTurn()
        near.close()
        try subject.expect(
          "bound again", await outcome { try await DatagramEndpoint.bind(to: address).close() }, "done")
        try subject.expect("receive", await outcome { try await receiving.value }, "\(Errno.canceled)")
      }
    },
    ConformanceCheck(112, "The longest datagram arrives; a longer one is an error", capabilities: .datagrams) {
      subject in
      try subject.run { _ in
        let (near, far) = try await pair()
        defer { close(near, far) }
        try await near.send(numbered(0..<65_507))
        try subject.expect("65507 bytes", try await far.receive().bytes == numbered(0..<65_507))
        try subject.expect(
          "one more", await outcome { try await near.send(numbered(0..<65_508)) }, "\(Errno.messageTooLong)")
        try await near.send([1])
        try subject.expect("goes on", try await far.receive().bytes, [1])
      }
    },
    ConformanceCheck(
      113, "Broadcasts need the flag; ports are shared with the other", capabilities: [.datagrams, .unixSockets]
    ) { subject in
      try subject.run { _ in
        let shares = Process.sharesPorts
        let broadcast = SocketAddress(ipLiteral: "127.255.255.255", port: 9)!
        let plain = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
        let allowed = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0, reusePort: shares, broadcast: true)
        defer { close(plain, allowed) }
        try subject.expect(
          "without", await outcome { try await plain.send([1], to: broadcast) }, "\(Errno.permissionDenied)")
        try subject.expect("with", await outcome { try await allowed.send([1], to: broadcast) }, "done")
        try subject.expect("flag", try allowed.get(.broadcast))
        let port = allowed.localAddress!.port!
        if shares {
          let shared = try await DatagramEndpoint.bind(host: "127.0.0.1", port: port, reusePort: true)
          shared.close()
        } else {
          let refusal = await outcome { try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0, reusePort: true) }
          try subject.expect("not offered", refusal, "\(EventLoopError.Code.invalidArgument)")
        }
        try subject.expect(
          "not shared", await outcome { try await DatagramEndpoint.bind(host: "127.0.0.1", port: port) },
          "\(Errno.addressInUse)")
        let path = try SocketAddress(unixPath: "/tmp/asyncio-never-\(port)")
        try subject.expect(
          "where it is not offered", await outcome { try await DatagramEndpoint.bind(to: path, reusePort: true) },
          "\(EventLoopError.Code.invalidArgument)")
      }
    },
    ConformanceCheck(114, "A socket that is given must be one for datagrams", facet: "calls", capabilities: .datagrams)
    {
      subject in
      try subject.run { _ in
        let stream = try Socket(family: .ipv4)
        defer { stream.close() }
        try subject.expectRefusal("stream", .invalidArgument) { try DatagramEndpoint(stream) }
        let socket = try Socket(family: .ipv4, type: .datagram)
        try socket.bind(to: loopback(0))
        let endpoint = try DatagramEndpoint(socket)
        defer { endpoint.close() }
        try await endpoint.send([1], to: endpoint.localAddress)
        try subject.expect("to itself", try await endpoint.receive().bytes, [1])
      }
    },
  ]

  /// A connected endpoint and one that is only bound.
  private static func pair() async throws -> (DatagramEndpoint, DatagramEndpoint) {
    let far = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
    return (try await DatagramEndpoint.connect(to: far.localAddress!), far)
  }

  /// The same with Unix sockets, which lose nothing.
  private static func unixPair() async throws -> (DatagramEndpoint, DatagramEndpoint) {
    let far = try await DatagramEndpoint.bind(to: temporaryUnixAddress())
    return (try await DatagramEndpoint.connect(to: far.localAddress!), far)
  }

  private static func close(_ endpoints: DatagramEndpoint...) {
    for endpoint in endpoints { endpoint.close() }
  }
}
