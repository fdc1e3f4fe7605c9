import AsyncIO
import SystemPackage
import Testing

@testable import AsyncIOSimulation

/// What a tester does to the network, and what the network does by itself.
@Suite(.timeLimit(.minutes(5)))
struct NetworkFaultTests {
  private struct Pair {
    let (a, b): (SimulationHost, SimulationHost)
    let (client, server): (StreamConnection, StreamConnection)
  }

  /// Play a scenario with a connection between two hosts, which is closed after it.
  private func play(
    _ seed: UInt64 = 1, faults: FaultPlan = .none,
    _ scenario: @escaping @Sendable (SimulationWorld, Pair) async throws -> Void
  ) async -> Campaign.Outcome {
    await playOne(seed, faults: faults) { world in
      let (a, b) = (world.host("a"), world.host("b"))
      let (client, server) = try await world.connected(a, b)
      defer {
        client.close()
        server.close()
      }
      try await scenario(world, Pair(a: a, b: b, client: client, server: server))
    }
  }

  /// What can be read within a second, and nothing else.
  private static func available(_ connection: StreamConnection) async throws -> [UInt8] {
    var all: [UInt8] = []
    while let bytes = try? await withTimeout(.seconds(1), { try await connection.read(upTo: 100) }), !bytes.isEmpty {
      all += bytes
    }
    return all
  }

  @Test("A partition keeps both from hearing; when it is mended everything arrives, in order")
  func partition() async {
    let outcome = await play { world, pair in
      world.partition(pair.a, pair.b)
      for byte in 0..<10 as Range<UInt8> {
        try await pair.client.write([byte])
        try await pair.server.write([byte])
      }
      #expect(try await Self.available(pair.client) == [])
      #expect(try await Self.available(pair.server) == [])
      world.mend(pair.a, pair.b)
      #expect(try await Self.available(pair.client) == Array(0..<10))
      #expect(try await Self.available(pair.server) == Array(0..<10))
    }
    #expect(outcome.failure == nil)
  }

  @Test("A partition of one direction leaves the other one; healing mends it")
  func oneWay() async {
    let outcome = await play { world, pair in
      world.partition(from: pair.a, to: pair.b)
      try await pair.client.write([1, 2])
      try await pair.server.write([3, 4])
      #expect(try await Self.available(pair.server) == [])
      #expect(try await Self.available(pair.client) == [3, 4])
      world.heal()
      #expect(try await Self.available(pair.server) == [1, 2])
    }
    #expect(outcome.failure == nil)
  }

  @Test("A clogged link keeps everything back for its time, and no longer")
  func clog() async {
    let outcome = await play { world, pair in
      let began = world.now
      world.clog(from: pair.a, to: pair.b, for: .seconds(30))
      for byte in 0..<10 as Range<UInt8> {
        try await pair.client.write([byte])
        try await AsyncIO.sleep(for: .seconds(1))
      }
      #expect(try await pair.server.readExactly(10) == Array(0..<10))
      #expect(world.now - began >= .seconds(30) && world.now - began < .seconds(31))
    }
    #expect(outcome.failure == nil)
  }

  @Test("A stream keeps its order while links come and go", arguments: 0..<20 as Range<UInt64>)
  func order(seed: UInt64) async {
    let outcome = await play(seed, faults: .always(.lostSegments, 0.1)) { world, pair in
      let total = 1500
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for number in 0..<total {
            try await pair.client.write([UInt8(truncatingIfNeeded: number)])
            await Task.yield()
          }
        }
        group.addTask {
          for _ in 0..<30 {
            try await AsyncIO.sleep(for: .microseconds(world.random.below(100)))
            if world.random.chance(0.5) {
              world.clog(from: pair.a, to: pair.b, for: .microseconds(world.random.below(300)))
            } else {
              world.partition(pair.a, pair.b)
              try await AsyncIO.sleep(for: .microseconds(world.random.below(100)))
              world.mend(pair.a, pair.b)
            }
          }
        }
        let bytes = try await pair.server.readExactly(total)
        try world.require(bytes == (0..<total).map { UInt8(truncatingIfNeeded: $0) }, "bytes overtake each other")
        try await group.waitForAll()
      }
    }
    #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
  }

  @Test("A peer that is silent for a minute is given up, but not after two shorter silences")
  func silence() async {
    let outcome = await play { world, pair in
      for _ in 0..<2 {
        world.partition(pair.a, pair.b)
        try await pair.client.write([7])
        try await AsyncIO.sleep(for: .seconds(50))
        world.mend(pair.a, pair.b)
        #expect(try await pair.server.readExactly(1) == [7])
      }
      let began = world.now
      world.partition(pair.a, pair.b)
      try await pair.client.write([8])
      let error = await #expect(throws: IOError.self) { try await pair.client.read(upTo: 1) }
      #expect(error?.errno == .timedOut)
      #expect(world.now - began >= .seconds(60) && world.now - began < .seconds(61))
    }
    #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
  }

  @Test("Hosts that the tester parted stay parted, regardless of the weather")
  func testerAndWeather() async {
    var plan = FaultPlan()
    for kind in [FaultClass.partitions, .oneWayPartitions, .clogs] { plan[kind] = 1 }
    let outcome = await playOne(faults: plan) { world in
      let (a, b) = (world.host("a"), world.host("b"))
      let sender = try await a.run { try await DatagramEndpoint.bind(host: a.addresses[1], port: 0) }
      let receiver = try await b.run { try await DatagramEndpoint.bind(host: b.addresses[1], port: 9) }
      defer {
        sender.close()
        receiver.close()
      }
      world.partition(a, b)
      for _ in 0..<1000 {
        try await sender.send([1], to: receiver.localAddress)
        try await AsyncIO.sleep(for: .milliseconds(100))
      }
      await #expect(throws: TimeoutError.self) { try await withTimeout(.seconds(5)) { try await receiver.receive() } }
      world.mend(a, b)
      world.heal()
      try await sender.send([2], to: receiver.localAddress)
      #expect(try await receiver.receive().bytes == [2])
    }
    #expect(outcome.failure == nil)
  }

  @Test("A program behind a partition of the tester's waits for ever", arguments: [0, 1.0])
  func parted(weather: Double) async {
    let outcome = await play(faults: .always(.clogs, weather)) { world, pair in
      world.partition(pair.a, pair.b)
      try await pair.client.write([1])
      #expect(try await firstError { try await pair.client.read(upTo: 1) } == .timedOut)
      _ = try await pair.server.read(upTo: 1)
    }
    #expect(outcome.failure?.kind == .deadlock)
  }

  @Test("A socket reports a reset once; then the stream has ended, even if another reset comes")
  func reset() async {
    let outcome = await play { world, pair in
      let network = world.network
      let socket = try #require(network.sockets.compactMap(\.self).first { $0.host.name == "a" })
      let end = try #require(socket.stream)
      func read() -> Int {
        withUnsafeTemporaryAllocation(byteCount: 8, alignment: 1) { network.read(socket, $0.baseAddress, 8) }
      }
      // Two packets on their way to an end that is closed: each is answered by a reset.
      pair.server.close()
      for _ in 0..<2 { try await pair.client.write([1]) }
      try await AsyncIO.sleep(for: .seconds(1))
      #expect(read() == -Int(Errno.connectionReset.rawValue))
      #expect(read() == 0)
      network.fail(end, .connectionReset)
      #expect(read() == 0)
      #expect([1].withUnsafeBytes { network.write(socket, $0) } == -Int(Errno.brokenPipe.rawValue))
    }
    #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
  }
}

/// The system's number of the error that the body throws.
private func firstError(_ body: () async throws -> [UInt8]) async throws -> Errno? {
  do { _ = try await body() } catch let error as IOError { return error.errno }
  return nil
}

/// Machines that crash and come again.
@Suite(.timeLimit(.minutes(5)))
struct CrashTests {
  @Test("A crash is silent; a host that comes up again knows nothing of old connections, and runs its program anew")
  func crash() async {
    let outcome = await playOne { world in
      let (a, b) = (world.host("a"), world.host("b"))
      let starts = Kept(0)
      b.start("server") {
        starts.value += 1
        try await StreamListener.bind(host: b.addresses[1], port: 80).serve { connection in
          while let line = try await connection.readLine() { try await connection.write(line + "\n") }
        }
      }
      try await AsyncIO.sleep(for: .seconds(1))
      try await a.run {
        let connection = try await StreamConnection.connect(host: b.addresses[1], port: 80)
        try await connection.write("one\n")
        #expect(try await connection.readLine() == "one")
        b.crash()
        #expect(!b.isUp)
        await #expect(throws: TimeoutError.self) {
          try await withTimeout(.seconds(3600)) { try await connection.readLine() }
        }
        b.restart()
        #expect(b.isUp)
        // Only who says something hears that nobody knows it.
        await #expect(throws: TimeoutError.self) {
          try await withTimeout(.seconds(3600)) { try await connection.readLine() }
        }
        try await connection.write("two\n")
        let error = await #expect(throws: IOError.self) { try await connection.readLine() }
        #expect(error?.errno == .connectionReset)
        connection.close()
        let second = try await StreamConnection.connect(host: b.addresses[1], port: 80)
        try await second.write("three\n")
        #expect(try await second.readLine() == "three")
        second.close()
      }
      #expect(starts.value == 2)
    }
    #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
  }

  @Test("A writer to a machine that is gone gives up after a minute, a connect to it after two")
  func silence() async {
    let outcome = await playOne { world in
      let (a, b) = (world.host("a"), world.host("b"))
      let (client, server) = try await world.connected(a, b)
      b.crash()
      server.close()
      var began = world.now
      try await client.write([1])
      let error = await #expect(throws: IOError.self) { try await client.read(upTo: 1) }
      #expect(error?.errno == .timedOut)
      #expect(world.now - began >= .seconds(60) && world.now - began < .seconds(61))
      client.close()
      began = world.now
      let refused = await #expect(throws: IOError.self) {
        try await a.run { try await StreamConnection.connect(host: b.addresses[1], port: 80) }
      }
      #expect(refused?.errno == .timedOut)
      #expect(world.now - began >= .seconds(127) && world.now - began < .seconds(128))
    }
    #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
  }

  @Test("What a program of a crashed machine still does reaches nobody, and its errors fail nothing")
  func afterlife() async {
    let outcome = await playOne { world in
      let (a, b) = (world.host("a"), world.host("b"))
      let heard = Kept(0)
      b.start {
        let endpoint = try await DatagramEndpoint.bind(host: b.addresses[1], port: 9)
        defer { endpoint.close() }
        while true {
          _ = try await endpoint.receive()
          heard.value += 1
        }
      }
      a.start {
        let endpoint = try await DatagramEndpoint.bind(host: a.addresses[1], port: 0)
        defer { endpoint.close() }
        while true {
          do { try await AsyncIO.sleep(for: .seconds(1)) } catch is CancellationError {}
          // Throws, when the machine is down.
          try await endpoint.send([1], to: SocketAddress(ipLiteral: b.addresses[1], port: 9)!)
        }
      }
      try await AsyncIO.sleep(for: .seconds(5.5))
      let before = heard.value
      #expect(before >= 4)
      a.crash()
      try await AsyncIO.sleep(for: .seconds(10))
      #expect(heard.value == before)
      #expect(!a.isUp && b.isUp)
      await #expect(throws: IOError.self) {
        try await a.run { try await DatagramEndpoint.bind(host: a.addresses[1], port: 0) }
      }
    }
    #expect(outcome.failure == nil, "\(outcome.failure.map { $0.message } ?? "")")
  }
}
