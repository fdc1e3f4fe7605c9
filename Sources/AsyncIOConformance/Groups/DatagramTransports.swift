internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group H, in the form of callbacks.
  static let datagramTransportChecks: [ConformanceCheck] = [
    ConformanceCheck(106, "Callbacks: an echo; addresses are reported", facet: "callbacks", capabilities: .datagrams) {
      subject in
      try subject.run { loop in
        let (server, echo) = try await bound(loop, to: .host("127.0.0.1", port: 0))
        echo.echoes = true
        let (client, seen) = try await connected(loop, to: server)
        try subject.expect("peername", client.getExtraInfo(.peername) == server.getExtraInfo(.sockname))
        try client.send(Array("ping".utf8))
        try client.send([])
        try await seen.wait(for: 2)
        try subject.expect("answers", seen.datagrams, [Array("ping".utf8), []])
        try subject.expect("from", seen.senders.allSatisfy { $0 == server.getExtraInfo(.sockname) })
        try subject.expect("to", echo.senders.allSatisfy { $0 == client.getExtraInfo(.sockname) })
        try await end(subject, [(server, echo), (client, seen)])
      }
    },
    ConformanceCheck(108, "Callbacks: a foreign address is refused", facet: "callbacks", capabilities: .datagrams) {
      subject in
      try subject.run { loop in
        let (server, seen) = try await bound(loop, to: .host("127.0.0.1", port: 0))
        let (client, none) = try await connected(loop, to: server)
        try subject.expectRefusal("foreign", .invalidArgument) { try client.send([1], to: loopback(9)) }
        try subject.expectRefusal("none", .invalidArgument) { try server.send([1]) }
        try client.send([2], to: server.getExtraInfo(.sockname))
        try await seen.wait(for: 1)
        try subject.expect("its own", seen.datagrams, [[2]])
        try await end(subject, [(server, seen), (client, none)])
      }
    },
    ConformanceCheck(
      109, "An unreachable port is told, and both ways go on", facet: "callbacks", capabilities: .datagrams
    ) {
      subject in
      guard Process.hearsOfUnreachablePorts else { try subject.notOffered("datagrams to nobody are lost here") }
      try subject.run { loop in
        let (gone, lost) = try await bound(loop, to: .host("127.0.0.1", port: 0))
        let address = gone.getExtraInfo(.sockname)!
        let (client, seen) = try await connected(loop, to: gone)
        try await end(subject, [(gone, lost)])
        try client.send([1])
        while seen.errors.isEmpty { try await sleep(for: .milliseconds(1)) }
        try subject.expect("error", seen.errors, [.connectionRefused])
        let (server, there) = try await bound(loop, to: .address(address))
        there.echoes = true
        try client.send([2])
        try await seen.wait(for: 1)
        try subject.expect("there", there.datagrams, [[2]])
        try subject.expect("back", seen.datagrams, [[2]])
        try await end(subject, [(server, there), (client, seen)])
      }
    },
    ConformanceCheck(
      110, "A full buffer queues, asks to pause once and to go on once; the order is kept",
      capabilities: [.datagrams, .unixSockets]
    ) { subject in
      try subject.run { loop in
        let (server, seen) = try await bound(loop, to: .address(temporaryUnixAddress()))
        let (client, flow) = try await connected(loop, to: server)
        try client.setWriteBufferLimits(high: 20_000, low: 5000)
        var count = 0
        while flow.flow.isEmpty {
          try client.send(numbered(count..<count + 1000))
          count += 1
        }
        try subject.expect("waiting", (20_001...21_008).contains(client.writeBufferSize))
        try subject.expect("a multiple of bytes and header", client.writeBufferSize % 1008, 0)
        for _ in 0..<3 {
          try client.send(numbered(count..<count + 1000))
          count += 1
        }
        try subject.expect("asked", flow.flow, ["pause"])
        try await seen.wait(for: count)
        let inOrder = seen.datagrams.enumerated().allSatisfy { $0.element == numbered($0.offset..<$0.offset + 1000) }
        try subject.expect("in order", inOrder)
        try subject.expect("asked again", flow.flow, ["pause", "resume"])
        try subject.expect("left", client.writeBufferSize, 0)
        try await end(subject, [(server, seen), (client, flow)])
      }
    },
    ConformanceCheck(
      111, "A close sends what waits and what is sent meanwhile, an abort drops it",
      capabilities: [.datagrams, .unixSockets]
    ) { subject in
      try subject.run { loop in
        for aborts in [false, true] {
          let (server, seen) = try await bound(loop, to: .address(temporaryUnixAddress()))
          let (client, lost) = try await connected(loop, to: server)
          var count = 0
          while client.writeBufferSize < 10_000 {
            try client.send(numbered(count..<count + 1000))
            count += 1
          }
          let waiting = client.writeBufferSize / 1008
          if aborts { client.abort() } else { client.close() }
          try subject.expect("not in the call", lost.isLost, false)
          try subject.expect("size", client.writeBufferSize == 0, aborts)
          try client.send([1])
          let expected = aborts ? count - waiting : count + 1
          try await seen.wait(for: expected)
          while !lost.isLost { try await sleep(for: .zero) }
          try client.send([2])
          try await letTurn()
          try subject.expect("all that should", seen.datagrams.count == expected)
          try await end(subject, [(server, seen)])
        }
      }
    },
    ConformanceCheck(
      112, "A datagram that is too long is told to the protocol", facet: "callbacks", capabilities: .datagrams
    ) {
      subject in
      try subject.run { loop in
        let (server, seen) = try await bound(loop, to: .host("127.0.0.1", port: 0))
        let (client, errors) = try await connected(loop, to: server)
        try client.send(numbered(0..<65_508))
        try subject.expect("error", errors.errors, [.messageTooLong])
        try client.send(numbered(0..<65_507))
        try await seen.wait(for: 1)
        try subject.expect("the longest", seen.datagrams == [numbered(0..<65_507)])
        try await end(subject, [(server, seen), (client, errors)])
      }
    },
    ConformanceCheck(114, "A socket together with another option is refused", capabilities: .datagrams) { subject in
      try subject.run { loop in
        let socket = try Socket(family: .ipv4, type: .datagram)
        try socket.bind(to: loopback(0))
        let number = try socket.detach()
        let invalid = "\(EventLoopError.Code.invalidArgument)"
        let name = DatagramName.host("127.0.0.1", port: 0)
        let make = { DatagramWitness() }
        let refusals = [
          await outcome { try await loop.createDatagramEndpoint(localAddress: name, socket: number, make) },
          await outcome { try await loop.createDatagramEndpoint(remoteAddress: name, socket: number, make) },
          await outcome { try await loop.createDatagramEndpoint(family: .ipv4, socket: number, make) },
          await outcome { try await loop.createDatagramEndpoint(proto: 17, socket: number, make) },
          await outcome { try await loop.createDatagramEndpoint(flags: .passive, socket: number, make) },
          await outcome { try await loop.createDatagramEndpoint(reusePort: true, socket: number, make) },
          await outcome { try await loop.createDatagramEndpoint(allowBroadcast: true, socket: number, make) },
          await outcome { try await loop.createDatagramEndpoint(make) },
        ]
        try subject.expect("refusals", refusals, Array(repeating: invalid, count: 8))
        let stream = try Socket(family: .ipv4)
        defer { stream.close() }
        let streamNumber = stream.fileDescriptor
        try subject.expect(
          "a stream", await outcome { try await loop.createDatagramEndpoint(socket: streamNumber, make) }, invalid)
        let (transport, seen) = try await loop.createDatagramEndpoint(socket: number, make)
        try transport.send([5], to: transport.getExtraInfo(.sockname)!)
        try await seen.wait(for: 1)
        try subject.expect("alone", seen.datagrams, [[5]])
        try await end(subject, [(transport, seen)])
      }
    },
  ]

  private static func bound(
    _ loop: any EventLoop, to name: DatagramName
  ) async throws -> (DatagramTransport, DatagramWitness) {
    try await loop.createDatagramEndpoint(localAddress: name) { DatagramWitness() }
  }

  private static func connected(
    _ loop: any EventLoop, to server: DatagramTransport
  ) async throws -> (DatagramTransport, DatagramWitness) {
    try await loop.createDatagramEndpoint(remoteAddress: .address(server.getExtraInfo(.sockname)!)) {
      DatagramWitness()
    }
  }

  /// Close them, and expect that each protocol is told once.
  private static func end(
    _ subject: ConformanceSubject, _ transports: [(DatagramTransport, DatagramWitness)]
  ) async throws {
    for (transport, _) in transports { transport.close() }
    for (_, witness) in transports {
      while !witness.isLost { try await sleep(for: .zero) }
    }
    try await letTurn()
    try subject.expect("ends told", transports.map(\.1.ends), transports.map { _ in 1 })
  }
}

/// Writes down what it is told.
private final class DatagramWitness: DatagramProtocol {
  var echoes = false
  private(set) var datagrams: [[UInt8]] = []
  private(set) var senders: [SocketAddress] = []
  private(set) var errors: [Errno] = []
  private(set) var flow: [String] = []
  private(set) var ends = 0
  private var transport: DatagramTransport?

  var isLost: Bool { ends > 0 }

  func connectionMade(_ transport: DatagramTransport) { self.transport = transport }

  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {
    datagrams.append(bytes.withUnsafeBytes { Array($0) })
    senders.append(address)
    if echoes { try transport?.send(bytes, to: address) }
  }

  func errorReceived(_ error: IOError) { errors.append(error.errno) }
  func pauseWriting() { flow.append("pause") }
  func resumeWriting() { flow.append("resume") }

  func connectionLost(_ error: (any Error)?) {
    ends += 1
    transport = nil
  }

  /// Wait until this many datagrams have come.
  func wait(for count: Int) async throws {
    while datagrams.count < count { try await sleep(for: .zero) }
  }
}
