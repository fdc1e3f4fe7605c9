internal import AsyncIO
internal import AsyncIOSimulation
internal import SystemPackage

extension Scenario {
  /// Streams, as clients and servers use them.
  static let streams: [Scenario] = [
    Scenario(
      "echo", "Streams carry bytes in order, whatever TCP makes good", faults: .mild
    ) { world in
      world.host("server").start("echo") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        try await listener.serve { connection in
          try await connection.forEachChunk { chunk in try await connection.write(chunk) }
        }
      }
      try await world.host("client").run {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "server", port: 7) }
        for _ in 0..<3 {
          let bytes = world.bytes(1 + world.random.below(3000))
          async let answer = connection.readExactly(bytes.count)
          try await connection.write(bytes)
          try world.require(try await answer == bytes, "the answer is another one")
        }
        connection.close()
      }
    },
    Scenario(
      "retries", "Clients whose connections break get every answer in the end, and the right one", faults: .hostile
    ) { world in
      world.host("server").start("lengths") {
        let listener = try await world.listen(on: "server", 7)
        try await listener.serve { connection in
          while let line = try await connection.readLine() { try await connection.write("\(line) \(line.count)\n") }
        }
      }
      let clients = try ["a", "b"].map { name in
        try world.task(on: name) { try await RetryingClient(world, name).ask(5) }
      }
      try await world.storm(clients)
    },
    Scenario(
      "pressure", "A writer that is faster than the reader waits for it; a half-close leaves the way back open",
      faults: .mild
    ) { world in
      let (written, read) = (Counter(), Counter())
      world.host("reader").start("slow") {
        let listener = try await StreamListener.bind(host: "reader", port: 7)
        try await listener.serve { connection in
          var sum: UInt64 = 0
          while case let bytes = try await connection.read(upTo: 30_000), !bytes.isEmpty {
            read.add(bytes.count)
            for byte in bytes { sum = sum &* 31 &+ UInt64(byte) }
            if world.random.chance(0.2) { try await world.pause(around: .milliseconds(2)) }
          }
          try await connection.write("\(read.value) \(sum)\n")
        }
      }
      // What the system keeps for a reader, and what a connection does.
      world.always("a writer is never further ahead than buffers go") { written.value - read.value <= 400_000 }
      try await world.host("writer").run {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "reader", port: 7) }
        defer { connection.close() }
        var sum: UInt64 = 0
        let isMuch = world.random.chance(0.05)
        for _ in 0..<(isMuch ? 12 : 3) {
          let bytes = [UInt8](
            repeating: UInt8(world.random.below(256)), count: 1 + world.random.below(isMuch ? 60_000 : 6000))
          for byte in bytes { sum = sum &* 31 &+ UInt64(byte) }
          let before = world.now
          try await connection.write(bytes)
          world.sometimes("a writer has to wait for the reader", world.now - before > .milliseconds(1))
          written.add(bytes.count)
        }
        try connection.writeEOF()
        try world.require(
          try await connection.readLine() == "\(written.value) \(sum)", "the reader has read something else")
        try world.require(try await connection.readToEnd().isEmpty, "something came after the last line")
      }
    },
  ]
}

/// A client that connects anew when a connection breaks, and asks the same again.
final class RetryingClient {
  private let world: SimulationWorld
  private let name: String
  private let tls: TLSContext?
  private var connection: StreamConnection?

  /// - Parameter tls: protects the connections, if it is given.
  init(_ world: SimulationWorld, _ name: String, tls: TLSContext? = nil) {
    (self.world, self.name, self.tls) = (world, name, tls)
  }

  func ask(_ count: Int) async throws {
    defer { connection?.close() }
    for number in 0..<count {
      let question = name + String(repeating: "x", count: world.random.below(200)) + "\(number)"
      var tries = 0
      while try await !isAnswered(question) {
        tries += 1
        connection?.close()
        connection = nil
        try await sleep(for: .milliseconds(10))
      }
      world.sometimes("a question is asked again", tries > 0)
      if world.random.chance(0.3) { try await world.pause(around: .milliseconds(300)) }
    }
  }

  private func isAnswered(_ question: String) async throws -> Bool {
    do {
      let answer = try await withTimeout(.seconds(3)) {
        let connection = try await opened()
        try await connection.write(question + "\n")
        return try await connection.readLine()
      }
      // The end of the stream instead of an answer also counts as a loss.
      guard let answer else { return false }
      try world.require(answer == "\(question) \(question.count)", "the answer to \(question) is \(answer)")
      return true
    } catch  where error.isWeather {
      world.sometimes("a connection is reset", (error as? IOError)?.errno == .connectionReset)
      world.sometimes("an answer takes too long", error is TimeoutError)
      return false
    }
  }

  private func opened() async throws -> StreamConnection {
    if let connection { return connection }
    let new =
      if let tls {
        try await StreamConnection.connect(host: "server", port: 7, tls: tls)
      } else {
        try await StreamConnection.connect(host: "server", port: 7)
      }
    connection = new
    return new
  }
}
