internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Datagrams.
  static let datagrams: [Scenario] = [
    Scenario(
      "datagrams", "Numbers and answers make a reliable stream of datagrams that get lost, come twice, or late",
      faults: .hostile
    ) { world in
      let delivered = Ledger<Int>()
      world.host("server").start("server") {
        let endpoint = try await world.persistently {
          // One family: a client does not learn that nothing receives at the other address.
          try await DatagramEndpoint.bind(host: "server", port: 9, family: .ipv4)
        }
        defer { endpoint.close() }
        while true {
          let datagram = try await endpoint.receive()
          guard let number = Int(String(decoding: datagram.bytes, as: UTF8.self)) else {
            return world.fail("a datagram is broken: \(datagram.bytes)")
          }
          if number == delivered.entries.count {
            delivered.entries.append(number)
          } else {
            world.sometimes("a datagram comes again")
          }
          do { try await endpoint.send(datagram.bytes, to: datagram.address) } catch  where error.isWeather {}
        }
      }
      let client = try world.task(on: "client") {
        let endpoint = try await world.persistently {
          try await DatagramEndpoint.connect(host: "server", port: 9, family: .ipv4)
        }
        defer { endpoint.close() }
        var number = 0
        while number < 10 {
          do {
            try await withTimeout(.milliseconds(200)) {
              try await endpoint.send(Array("\(number)".utf8))
              // Answers to what was sent again come late.
              while try await endpoint.receive().bytes != Array("\(number)".utf8) {
                world.sometimes("an answer is old")
              }
            }
            number += 1
          } catch  where error.isWeather {
            world.sometimes("nobody is there", error is IOError)
            try await sleep(for: .milliseconds(10))
          }
        }
      }
      try await world.storm([client])
      try world.require(delivered.entries == Array(0..<10), "delivered: \(delivered.entries)")
    },
    Scenario(
      "postbag", "A datagram transport loses and doubles what the network does, and nothing else",
      faults: FaultPlan.hostile.without(.partitions, .oneWayPartitions, .socketShortage, .failedNames)
    ) { world in
      let letters = Letters(world)
      let count = 40
      let loop = try getRunningLoop()
      try await world.host("server").run {
        let (receiving, _) = try await loop.createDatagramEndpoint(localAddress: .host("server", port: 9)) { letters }
        try await post(count, world)
        receiving.close()
      }
      let struck = world.struck
      let expected = count - (struck[.lostDatagrams] ?? 0) + (struck[.doubledDatagrams] ?? 0)
      try world.require(letters.received.count == expected, "\(letters.received.count) came instead of \(expected)")
      let isOrdered = zip(letters.received, letters.received.dropFirst()).allSatisfy { $0 <= $1 }
      try world.require(isOrdered || struck[.reorderedDatagrams] != nil || struck[.clogs] != nil, "another order")
      world.sometimes("datagrams overtake each other", !isOrdered)
      try await world.eventually("the protocol is told of its end") { letters.isOver }
    },
  ]

  /// Sockets, by hand.
  static let sockets: [Scenario] = [
    Scenario(
      "sockets", "Accepting, sending and receiving by hand loses no byte and no client", faults: .mild
    ) { world in
      let server = try world.task(on: "server") {
        let socket = try Socket(family: .ipv4)
        defer { socket.close() }
        try socket.set(.reuseAddress, to: true)
        let own = world.host("server").addresses.first { !$0.contains(":") } ?? ""
        guard let address = SocketAddress(ipLiteral: own, port: 7) else { return world.fail("no address") }
        try socket.bind(to: address)
        try socket.listen()
        try await withThrowingTaskGroup(of: Void.self) { group in
          var accepted = 0
          while accepted < 2 {
            do {
              let client = try await withTimeout(world.random.around(.milliseconds(5))) { try await socket.accept() }
              accepted += 1
              group.addTask { try await echo(client, world) }
            } catch is TimeoutError { world.sometimes("an accept is cancelled") }
          }
          try await group.waitForAll()
        }
      }
      let clients = try (0..<2).map { number in
        try world.task(on: "client \(number)") {
          let bytes = world.bytes(1 + world.random.below(1500))
          let socket = try await world.persistently { () async throws -> Socket in
            let socket = try Socket(family: .ipv4)
            do {
              try await socket.connect(host: "server", port: 7)
              return socket
            } catch {
              socket.close()
              throw error
            }
          }
          defer { socket.close() }
          async let answer = receiveAll(socket)
          try await socket.sendAll(bytes)
          try socket.shutdown(.writing)
          try world.require(try await answer == bytes, "the answer is another one")
        }
      }
      for task in clients + [server] { try await task.get() }
    }
  ]
}

/// Send numbered datagrams, and wait until the last of them has arrived.
private func post(_ count: Int, _ world: SimulationWorld) async throws {
  try await world.host("client").run {
    let loop = try getRunningLoop()
    let (sending, _) = try await loop.createDatagramEndpoint(remoteAddress: .host("server", port: 9)) { Letters(world) }
    for number in 0..<count {
      try sending.send([UInt8(number)])
      if world.random.chance(0.2) { try await world.pause(around: .milliseconds(1)) }
    }
    try world.require(sending.writeBufferSize == 0, "a datagram was not sent")
    try await sleep(for: .seconds(30))
    sending.close()
  }
}

/// Send back what comes, and look away while it waits.
private func echo(_ socket: Socket, _ world: SimulationWorld) async throws {
  defer { socket.close() }
  while true {
    do {
      let bytes = try await withTimeout(world.random.around(.milliseconds(1))) { try await socket.receive(upTo: 500) }
      if bytes.isEmpty { break }
      try await socket.sendAll(bytes)
    } catch is TimeoutError { world.sometimes("a receive is cancelled") }
  }
  try socket.shutdown(.both)
}

private func receiveAll(_ socket: Socket) async throws -> [UInt8] {
  var bytes: [UInt8] = []
  while case let more = try await socket.receive(upTo: 700), !more.isEmpty { bytes += more }
  return bytes
}

/// Writes down what it is told.
private final class Letters: DatagramProtocol {
  private let world: SimulationWorld
  private(set) var received: [UInt8] = []
  private(set) var isOver = false

  init(_ world: SimulationWorld) { self.world = world }

  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {
    let bytes = bytes.withUnsafeBytes { Array($0) }
    if bytes.count != 1 || isOver { world.fail("a datagram is broken, or comes after the end: \(bytes)") }
    received += bytes
  }

  func errorReceived(_ error: IOError) throws { world.fail("a datagram endpoint failed: \(error)") }

  func connectionLost(_ error: (any Error)?) throws {
    if isOver || error != nil { world.fail("a second end, or a failed one: \(error.map { "\($0)" } ?? "")") }
    isOver = true
  }
}
