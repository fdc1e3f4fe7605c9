import Testing

@testable import AsyncIO
@testable import AsyncIOSimulation

/// Protected streams in a simulated world, and that they replay.
@Suite("Simulated TLS streams", .timeLimit(.minutes(3)))
struct SimulatedTLSStreamTests {
  /// An echo over protected connections, which is asked in several ways.
  private static func echo(_ world: SimulationWorld) async throws {
    let server = world.host("server")
    let context = try TLSContext(.server(SimulatedTLS.identity(hosts: ["server"])))
    server.start("echo") {
      let listener = try await StreamListener.bind(host: "server", port: 443, tls: context)
      try await listener.serve { connection in
        try await connection.forEachChunk { chunk in try await connection.write(chunk) }
      }
    }
    let client = try TLSContext(.client())
    try await world.host("client").run {
      for round in 0..<2 {
        let connection = try await StreamConnection.connect(host: "server", port: 443, tls: client)
        let information = try #require(connection.tlsInformation)
        #expect(information.version == "TLSv1.3" && information.serverName == "server")
        #expect(information.isResumed == (round == 1))
        let bytes = world.sent(50_000)
        async let written: Void = connection.write(bytes)
        #expect(try await connection.readExactly(bytes.count) == bytes)
        try await written
        try connection.writeEOF()
        #expect(try await connection.readToEnd().isEmpty)
        connection.close()
      }
    }
  }

  @Test(
    "Listeners and clients of a simulation are protected, and a session is resumed", arguments: [1, 2, 3] as [UInt64])
  func listener(_ seed: UInt64) async throws {
    let outcome = await playOne(seed, faults: .mild, Self.echo)
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
  }

  @Test("The same seed goes the same way")
  func replay() async throws {
    var hashes: [UInt64] = []
    for seed in [7, 7, 8] as [UInt64] {
      let outcome = await playOne(seed, faults: .mild, Self.echo)
      #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
      hashes.append(outcome.traceHash)
    }
    #expect(hashes[0] == hashes[1] && hashes[1] != hashes[2])
  }

  @Test("startTLS after plain lines, and back")
  func thereAndBack() async throws {
    let outcome = await playOne { world in
      let (near, far) = try await world.connected(world.host("client"), world.host("server"))
      let client = try TLSContext(.client())
      let server = try TLSContext(.server(SimulatedTLS.identity(hosts: ["server"])))
      try await near.write("hello\n")
      #expect(try await far.readLine() == "hello")
      for round in 0..<3 {
        async let accepted: Void = far.startTLS(server)
        try await near.startTLS(client, serverHostname: "server")
        try await accepted
        try await near.write("secret \(round)\n")
        #expect(try await far.readLine() == "secret \(round)")
        async let back: Void = far.unwrapTLS()
        try await near.unwrapTLS()
        try await near.write("plain \(round)\n")
        try await back
        #expect(try await far.readLine() == "plain \(round)")
      }
      near.close()
      far.close()
    }
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
  }

  @Test("A refused certificate, a plain client and a silent one end with the reason")
  func refusals() async throws {
    let outcome = await playOne { world in
      let unknown = try TLSContext(.server(SimulatedTLS.identity(hosts: ["server"], authority: "stranger")))
      let client = try TLSContext(.client())
      let (near, far) = try await world.connected(world.host("client"), world.host("server"))
      async let accepted = failure(TLSError.self) {
        try await far.startTLS(unknown)
        _ = try await far.read(upTo: 1)
      }
      let refused = try await failure(TLSError.self) { try await near.startTLS(client, serverHostname: "server") }
      #expect(refused.code == .unknownAuthority, "\(refused)")
      let answer = try await accepted
      #expect(answer.code == .peerAlert, "\(answer)")
      let (plain, protected) = try await world.connected(world.host("client"), world.host("server"), port: 81)
      try await plain.write("DELETE everything\r\n")
      let notTLS = try await failure(TLSError.self) { try await protected.startTLS(unknown) }
      #expect(notTLS.code == .notTLS, "\(notTLS)")
      plain.close()
      let (silent, waiting) = try await world.connected(world.host("client"), world.host("server"), port: 82)
      let began = world.now
      let timedOut = try await failure(TLSError.self) { try await waiting.startTLS(unknown) }
      #expect(timedOut.code == .timedOut && world.now - began >= .seconds(60), "\(timedOut)")
      silent.close()
    }
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
  }

  @Test("A certificate expires in the time of the simulation")
  func expires() async throws {
    let outcome = await playOne { world in
      let server = try TLSContext(.server(SimulatedTLS.identity(hosts: ["server"], valid: 0..<60)))
      let client = try TLSContext(.client())
      func meet(_ port: UInt16) async throws {
        let (near, far) = try await world.connected(world.host("client"), world.host("server"), port: port)
        defer {
          near.close()
          far.close()
        }
        let accepting = try loopTask { try? await far.startTLS(server) }
        try await near.startTLS(client, serverHostname: "server")
        _ = try await accepting.value
      }
      // Without resumption: what was looked at once counts as looked at.
      try await meet(80)
      try await sleep(for: .seconds(100))
      let fresh = try TLSContext(.client())
      let (near, far) = try await world.connected(world.host("client"), world.host("server"), port: 81)
      let accepting = try loopTask { try? await far.startTLS(server) }
      let error = try await failure(TLSError.self) { try await near.startTLS(fresh, serverHostname: "server") }
      #expect(error.code == .certificateExpired, "\(error)")
      _ = try await accepting.value
      far.close()
    }
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
  }

  @Test("Bytes before a damaged record are delivered, and the failure comes after them")
  func goodBeforeBad() async throws {
    let outcome = await playOne { world in
      let (near, far) = try await world.connected(world.host("client"), world.host("server"))
      let server = try SessionPair.Side(
        TLSContext(.server(SimulatedTLS.identity(hosts: ["server"]))), serverName: nil)
      let starting = try loopTask { try await near.startTLS(TLSContext(.client()), serverHostname: "server") }
      while !server.isEstablished {
        server.receive(try await far.read(upTo: 10_000))
        try await far.write(server.takeOutput())
      }
      try await starting.value
      try server.send([1, 2, 3])
      let good = server.takeOutput()
      try server.send([4])
      var bad = server.takeOutput()
      bad[10] ^= 1
      try await far.write(good + bad)
      let first = try await near.read(upTo: 10)
      #expect(first == [1, 2, 3])
      let error = try await failure(TLSError.self) { _ = try await near.read(upTo: 10) }
      #expect(error.code == .protocolViolation, "\(error)")
      near.close()
      far.close()
    }
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
  }

  @Test("A context is for the world that it was made in")
  func strangers() async throws {
    let provider = SimulatedTLSProvider()
    let elsewhere = try TLSContext(.client(), provider: provider)
    let outcome = await playOne { world in
      let (near, far) = try await world.connected(world.host("client"), world.host("server"))
      let error = try await failure(TLSError.self) { try await near.startTLS(elsewhere, serverHostname: "server") }
      #expect(error.code == .invalidConfiguration && error.message.contains("Make it in a task of the simulation"))
      let server = try TLSContext(.server(SimulatedTLS.identity(hosts: ["a"])), provider: provider)
      let refused = try await failure(TLSError.self) {
        _ = try await StreamListener.bind(host: "localhost", port: 90, tls: server)
      }
      #expect(refused.code == .invalidConfiguration, "\(refused)")
      far.close()
    }
    #expect(outcome.failure == nil, "\(String(describing: outcome.failure))")
    try await LoopKind.allCases[0].run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let error = try await failure(TLSError.self) { try await pair.near.startTLS(elsewhere, serverHostname: "a") }
      #expect(error.code == .invalidConfiguration && error.message.contains("protects nothing outside of it"))
    }
  }
}

extension SimulationWorld {
  /// Bytes by chance.
  fileprivate func sent(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) } }
}
