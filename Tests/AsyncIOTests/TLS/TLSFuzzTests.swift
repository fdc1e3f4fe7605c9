import POSIX
import Testing

@testable import AsyncIO

/// The number of records that was asked for.
private let ordered = getenv("ASYNCIO_FUZZ_RECORDS").flatMap { Int(String(cString: $0)) }

/// Conversations over hostile wires. They must end in a ``TLSError`` or in what was sent: never in a crash, a wait
/// without end, other bytes, or an end that nobody announced.
///
/// `ASYNCIO_FUZZ_RECORDS=1000000` carries a million records instead of a few thousand, and prints what came of them.
@Suite(
  "TLS fuzz", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(ordered == nil ? 5 : 60)))
struct TLSFuzzTests {
  private static let lanes: [UInt64] = [1, 2]

  /// Each lane has its own contexts, so that what is resumed in one does not depend on the other.
  private static func contexts() throws -> [(client: TLSContext, server: TLSContext)] {
    try [TLSVersion.tls12, .tls13].flatMap { version in
      try ["ecdsa", "rsa", "client"].map { key in
        var (client, server) = (TLSSessionTests.client(), TLSSessionTests.server(key == "rsa" ? key : "ecdsa"))
        client.maximumVersion = version
        if key == "client" {
          client.identity = TLSSessionTests.identity("client")
          (client.applicationProtocols, server.applicationProtocols) = (["a", "b"], ["b"])
          (server.verification, server.trust) = (.full, TLSSessionTests.trust)
        }
        return (try TLSContext(client), try TLSContext(server))
      }
    }
  }

  @Test("Sessions over hostile wires deliver what was sent, or fail", arguments: lanes)
  func sessions(lane: UInt64) throws {
    let contexts = try Self.contexts()
    let goal = (ordered ?? 8_000) / Self.lanes.count
    var (records, changes, conversations, whole) = (0, 0, 0, 0)
    var codes: [String: Int] = [:]
    while records < goal {
      let seed = lane << 32 + UInt64(conversations)
      let (client, server) = contexts[conversations % contexts.count]
      var conversation = try Conversation(SessionPair(client, server), seed)
      conversation.run()
      #expect(conversation.wrong.isEmpty, "seed \(seed): \(conversation.wrong)")
      records += conversation.wire.records
      changes += conversation.wire.changes
      conversations += 1
      whole += conversation.isWhole ? 1 : 0
      for side in conversation.sides { codes[side.failure?.code.description ?? "none", default: 0] += 1 }
    }
    // Wires that change nothing, and changes that harm nothing, are among them: the conversations do get somewhere.
    #expect(whole > 0 && codes.count > 4)
    guard ordered != nil else { return }
    print(
      "TLS fuzz, lane \(lane): \(records) records, \(changes) of them changed, \(conversations) conversations,",
      "\(whole) whole;",
      "failures of sides: \(codes.sorted { $0.value > $1.value }.map { "\($0.value) \($0.key)" })")
  }

  @Test("Connections over hostile wires deliver what was sent, or fail", arguments: LoopKind.allCases)
  func connections(kind: LoopKind) async throws {
    let contexts = try Self.contexts()
    let count = min((ordered ?? 8_000) / 200, 2_000)
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { listener.close() }
      for number in 0..<count {
        let (client, server) = contexts[number % contexts.count]
        let near = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        let far = try await listener.accept()
        let speaker = try ScriptedServer(far, server, seed: UInt64(number))
        let reading = try loopTask {
          defer { near.close() }
          try await near.startTLS(client, serverHostname: "localhost")
          try await near.write("question")
          return try await near.readToEnd()
        }
        try await speaker.run()
        switch await reading.result {
        case .success(let got): #expect(got == speaker.message && speaker.saidAll, "seed \(number)")
        case .failure(let error): #expect(error is TLSError || error is IOError, "seed \(number): \(error)")
        }
        #expect("question".utf8.starts(with: speaker.side.plain), "seed \(number)")
      }
    }
  }
}

/// A session that a test drives over a plain connection, so that it can send what no session would.
private final class ScriptedServer: Sendable {
  private let connection: StreamConnection
  // Unchecked, and right: only the task of the test uses them.
  nonisolated(unsafe) let side: SessionPair.Side
  nonisolated(unsafe) private var wire: HostileWire
  nonisolated(unsafe) private(set) var saidAll = false
  let message: [UInt8]

  init(_ connection: StreamConnection, _ context: TLSContext, seed: UInt64) throws {
    self.connection = connection
    side = try SessionPair.Side(context, serverName: nil)
    wire = HostileWire(seed: seed, patience: 12)
    message = numbered(0..<Int.random(in: 0...60_000, using: &wire.random))
  }

  /// Answer until all is said, or until something was changed: then end, so that nobody waits for what got lost.
  func run() async throws {
    defer { connection.close() }
    do {
      while wire.changes == 0, !saidAll, side.failure == nil {
        let input = try await connection.read(upTo: Int.random(in: 1...3_000, using: &wire.random))
        side.receive(input, ended: input.isEmpty)
        if !side.plain.isEmpty, side.failure == nil {
          try side.send(message)
          try side.session.end()
          saidAll = true
        }
        let arriving = wire.carry(side.takeOutput())
        for piece in wire.pieces(of: arriving) { try await connection.write(piece) }
        if input.isEmpty { break }
      }
      try connection.writeEOF()
      while try await !connection.read(upTo: 65_536).isEmpty {}
    } catch is IOError {
      // The client may be gone already.
    }
  }
}

/// Two sessions that talk over one hostile wire for both directions.
private struct Conversation {
  let pair: SessionPair
  var wire: HostileWire
  var wrong: [String] = []
  private var sent: [Sent]
  private var hasFailed = [false, false]

  private struct Sent {
    var count = 0
    var hasEnded = false
  }

  /// What each side sends, so that bytes of one direction cannot pass for the other's.
  private static let texts = [0, 0x5A].map { (mark: UInt8) in
    let block = numbered(0..<9_973).map { $0 ^ mark }
    return (0..<245).reduce(into: [UInt8]()) { text, _ in text.append(contentsOf: block) }
  }

  init(_ pair: SessionPair, _ seed: UInt64) {
    self.pair = pair
    wire = HostileWire(seed: seed)
    sent = [Sent(), Sent()]
  }

  var sides: [SessionPair.Side] { [pair.client, pair.server] }
  /// Everything arrived, and both ends are known to be the ends.
  var isWhole: Bool { sides.allSatisfy { $0.hasEnded } }

  mutating func run() {
    pair.client.receive([])
    for _ in 0..<Int.random(in: 3...60, using: &wire.random) {
      for index in 0...1 {
        speak(index)
        deliver(from: index)
      }
    }
    for index in 0...1 where canSpeak(index) && Bool.random(using: &wire.random) { end(index) }
    for _ in 0..<3 { for index in 0...1 { deliver(from: index) } }
    for (index, side) in sides.enumerated() {
      side.receive([], ended: true)
      check(side, sent[1 - index])
    }
  }

  private func canSpeak(_ index: Int) -> Bool {
    sides[index].isEstablished && sides[index].failure == nil && !sent[index].hasEnded
  }

  private mutating func speak(_ index: Int) {
    guard canSpeak(index), Bool.random(using: &wire.random) else { return }
    let count = Int.random(in: 0...[1, 200, 1_000, 40_000].randomElement(using: &wire.random)!, using: &wire.random)
    do {
      try sides[index].send(Array(Self.texts[index][sent[index].count..<sent[index].count + count]))
      sent[index].count += count
    } catch {
      wrong.append("a session that had not failed did not write: \(error)")
    }
  }

  private mutating func end(_ index: Int) {
    do {
      try sides[index].session.end()
      sent[index].hasEnded = true
    } catch {
      wrong.append("a session that had not failed did not end: \(error)")
    }
  }

  private mutating func deliver(from index: Int) {
    let arriving = wire.carry(sides[index].takeOutput())
    let receiver = sides[1 - index]
    for piece in wire.pieces(of: arriving) {
      // What has failed stays failed, which one more look shows; each costs a throw.
      if hasFailed[1 - index] { return }
      hasFailed[1 - index] = receiver.failure != nil
      receiver.receive(piece)
    }
  }

  private mutating func check(_ side: SessionPair.Side, _ peer: Sent) {
    let text = Self.texts[side === pair.client ? 1 : 0]
    let isPrefix = side.plain.count <= peer.count && memcmp(side.plain, text, side.plain.count) == 0
    if !isPrefix { wrong.append("\(side.plain.count) bytes that nobody sent") }
    if side.hasEnded, !peer.hasEnded || side.plain.count != peer.count { wrong.append("an end that is none") }
    guard let failure = side.failure else {
      if !side.hasEnded { wrong.append("neither an end nor an error") }
      return
    }
    let own: [TLSError.Code] = [.libraryMissing, .invalidConfiguration, .timedOut]
    if own.contains(failure.code) { wrong.append("a failure that cannot be: \(failure)") }
  }
}
