internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Protected connections, as clients and servers use them.
  static let protectedStreams: [Scenario] = [
    Scenario(
      "tls-echo", "Protected streams carry bytes in order and end whole, whatever TCP makes good", faults: .mild
    ) { world in
      let tls = try Protection(world, for: "server")
      world.host("server").start("echo") {
        let listener = try await StreamListener.bind(host: "server", port: 443, tls: tls.server)
        try await listener.serve { connection in
          try await connection.forEachChunk { chunk in try await connection.write(chunk) }
        }
      }
      try await world.host("client").run {
        for _ in 0..<2 {
          let connection = try await world.untilConnected {
            try await StreamConnection.connect(host: "server", port: 443, tls: tls.client)
          }
          defer { connection.close() }
          world.sometimes("a session is resumed", connection.tlsInformation?.isResumed == true)
          let isMuch = world.random.chance(0.05)
          let bytes = world.bytes(1 + world.random.below(isMuch ? 60_000 : 3000))
          async let answer = connection.readExactly(bytes.count)
          try await world.write(bytes, inPiecesOf: isMuch ? 40_000 : 1000, on: connection)
          try world.require(try await answer == bytes, "the answer is another one")
          // Longer than a handshake or a goodbye may take.
          if world.random.chance(0.1) { try await sleep(for: .seconds(100)) }
          try connection.writeEOF()
          try world.require(try await connection.readToEnd().isEmpty, "something came after the answer")
        }
      }
    },
    Scenario(
      "tls-pressure", "A writer of a protected stream that is faster than the reader waits for it", faults: .mild
    ) { world in
      let tls = try Protection(world, for: "reader")
      let (written, read) = (Counter(), Counter())
      world.host("reader").start("slow") {
        let listener = try await StreamListener.bind(host: "reader", port: 443, tls: tls.server)
        try await listener.serve { connection in
          while case let bytes = try await connection.read(upTo: 30_000), !bytes.isEmpty {
            read.add(bytes.count)
            if world.random.chance(0.2) { try await world.pause(around: .milliseconds(2)) }
          }
          try await connection.write("\(read.value)\n")
        }
      }
      // What the system keeps for a reader, what a link does, and a piece that is being written.
      world.always("a writer is never further ahead than buffers go") { written.value - read.value <= 500_000 }
      try await world.host("writer").run {
        let connection = try await world.untilConnected {
          try await StreamConnection.connect(host: "reader", port: 443, tls: tls.client)
        }
        defer { connection.close() }
        for _ in 0..<(world.random.chance(0.1) ? 8 : 1) {
          let count = 1 + world.random.below(200_000)
          let before = world.now
          try await connection.write([UInt8](repeating: 7, count: count))
          world.sometimes("a writer has to wait for the reader", world.now - before > .milliseconds(1))
          written.add(count)
        }
        try connection.writeEOF()
        try world.require(try await connection.readLine() == "\(written.value)", "the reader has read something else")
      }
    },
    Scenario(
      "tls-retries", "Clients whose protected connections break get every answer in the end", faults: .hostile
    ) { world in
      let tls = try Protection(world, for: "server")
      world.host("server").start("lengths") {
        let listener = try await world.persistently {
          try await StreamListener.bind(host: "server", port: 7, tls: tls.server)
        }
        try await listener.serve { connection in
          while let line = try await connection.readLine() { try await connection.write("\(line) \(line.count)\n") }
        }
      }
      let clients = try ["a", "b"].map { name in
        try world.task(on: name) { try await RetryingClient(world, name, tls: tls.client).ask(4) }
      }
      try await world.storm(clients)
    },
    Scenario(
      "tls-upgrade", "What came without protection is never taken for what came with it, there and back",
      faults: .mild
    ) { world in
      let tls = try Protection(world, for: "server")
      let isAttacked = world.random.chance(0.3)
      let serving = try world.task(on: "server") {
        let listener = try await StreamListener.bind(host: "server", port: 25)
        defer { listener.close() }
        let connection = try await listener.accept()
        defer { connection.close() }
        while let line = try await connection.readLine() {
          guard line == "STARTTLS" else {
            try await connection.write("plain \(line)\n")
            continue
          }
          try await connection.write("go\n")
          do { try await connection.startTLS(tls.server) } catch let error as TLSError where isAttacked {
            return try world.require(error.code == .notTLS, "plain bytes are taken for \(error)")
          }
          while let line = try await connection.readLine(), line != "STOPTLS" {
            try await connection.write("protected \(line)\n")
          }
          try await connection.unwrapTLS()
        }
      }
      try await world.host("client").run {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "server", port: 25) }
        defer { connection.close() }
        let client = UpgradingClient(world, connection)
        for _ in 0..<1 + world.random.below(2) {
          try await client.ask("plain")
          // In one piece with the line before, or not.
          try await connection.write(isAttacked ? "STARTTLS\nDELETE\n" : "STARTTLS\n")
          try world.require(try await connection.readLine() == "go", "the server does not begin")
          do { try await connection.startTLS(tls.client, serverHostname: "server") } catch  where isAttacked {
            return world.sometimes("an attack is seen")
          }
          try await client.ask("protected")
          try await connection.write("STOPTLS\n")
          try await connection.unwrapTLS()
          world.sometimes("a protected connection is plain again")
        }
        try world.require(!isAttacked, "an attack was not seen")
        try await client.ask("plain")
      }
      try await serving.get()
    },
    Scenario(
      "tls-crowd", "Many handshakes at once: each client gets its connection or the reason why not", faults: .mild
    ) { world in
      let tls = try Protection(world, for: "server")
      let stranger = try TLSContext(.client(trusting: SimulatedTLS.trust("stranger")))
      let (served, refused) = (Counter(), Counter())
      world.host("server").start("crowd") {
        let listener = try await StreamListener.bind(host: "server", port: 443, tls: tls.server)
        try await listener.serve { connection in
          served.add()
          let line = try await connection.readLine()
          try await connection.write("\(line ?? "")\n")
        }
      }
      let clients = try (0..<8).map { number in
        let kind = world.random.below(4)
        return try world.task(on: "client \(number % 2)") {
          let connected = Ledger<StreamConnection>()
          do {
            connected.entries.append(
              try await world.persistently {
                try await StreamConnection.connect(
                  host: "server", port: 443, tls: kind == 0 ? stranger : tls.client,
                  serverHostname: kind == 1 ? "elsewhere" : nil)
              })
          } catch let error as TLSError {
            refused.add()
            let codes: [TLSError.Code] = [.unknownAuthority, .hostnameMismatch]
            try world.require(kind < 2 && error.code == codes[kind], "\(number) is refused: \(error)")
            return
          }
          let connection = connected.entries[0]
          defer { connection.close() }
          try world.require(kind >= 2, "\(number) was not refused")
          try await connection.write("\(number)\n")
          try world.require(try await connection.readLine() == "\(number)", "\(number) got another answer")
        }
      }
      for client in clients { try await client.get() }
      try world.require(served.value + refused.value == 8, "\(served.value) served, \(refused.value) refused")
      world.sometimes("a client is refused", refused.value > 0)
    },
  ]
}

/// The settings of both sides, for a version by chance.
struct Protection {
  let client: TLSContext
  let server: TLSContext

  init(_ world: SimulationWorld, for host: String, limits: TLSLimits = .standard) throws {
    var settings = TLSConfiguration.client()
    settings.maximumVersion = world.random.chance(0.3) ? .tls12 : .tls13
    settings.limits = limits
    client = try TLSContext(settings)
    settings = .server(SimulatedTLS.identity(hosts: [host]))
    settings.limits = limits
    server = try TLSContext(settings)
  }
}

/// Asks on a connection that is plain and protected by turns. For one task of a world.
private final class UpgradingClient {
  private let world: SimulationWorld
  private let connection: StreamConnection

  init(_ world: SimulationWorld, _ connection: StreamConnection) { (self.world, self.connection) = (world, connection) }

  /// Ask some questions, and look whether the answers say how the questions came.
  func ask(_ how: String) async throws {
    for number in 0..<world.random.below(3) {
      let question = "\(number) " + String(repeating: "x", count: world.random.below(100))
      try await connection.write(question + "\n")
      let answer = try await connection.readLine()
      try world.require(answer == "\(how) \(question)", "the answer to \(question) is \(answer ?? "none")")
    }
  }
}
