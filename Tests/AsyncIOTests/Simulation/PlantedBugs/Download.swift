import AsyncIO
import AsyncIOSimulation

// Over TLS, with somebody in between: the mistakes here are those of programs that use a protected connection, and the
// library cannot make up for them.

extension PlantedProtocol {
  /// A file that comes after STARTTLS; the client comes again until it has all of it, and nothing else.
  static let download = PlantedProtocol(
    name: "download", bugs: [.takesCutForEnd, .keepsBufferAcrossStartTLS, .goesOnInPlain], faults: .mild
  ) { world, bug in
    let file = (0..<2000).map { _ in UInt8(truncatingIfNeeded: world.random.next()) }
    let client = try TLSContext(.client())
    let server = try TLSContext(.server(SimulatedTLS.identity(hosts: ["server"])))
    world.serve("server") { connection in
      guard try await connection.readLine() == "STARTTLS" else { return }
      try await connection.write("go\n")
      try await connection.startTLS(server)
      try await connection.write(file)
    }
    world.serve("between") { near in
      let far = try await StreamConnection.connect(host: "server", port: 80)
      defer { far.close() }
      async let back: Void = pass(from: far, to: near, Attack(world))
      try await pass(from: near, to: far, nil)
      try await back
    }
    try await world.host("client").run {
      for _ in 0..<3 {
        let got = try await world.retryingTLS { try await download(client, bug) }
        try world.require(got == file, "\(got.count) bytes are taken for the file of \(file.count)")
      }
    }
  }

  private static func download(_ context: TLSContext, _ bug: PlantedBug?) async throws -> [UInt8] {
    let connection = try await StreamConnection.connect(host: "between", port: 80)
    defer { connection.close() }
    try await connection.write("STARTTLS\n")
    var buffer: [UInt8] = []
    while !buffer.contains(10) {
      let bytes = try await connection.read(upTo: 64)
      if bytes.isEmpty { throw PeerGone() }
      buffer += bytes
    }
    let isGood = buffer.starts(with: Array("go\n".utf8))
    guard isGood || bug == .goesOnInPlain else { throw PeerGone() }
    buffer.removeFirst(buffer.firstIndex(of: 10)! + 1)
    // Nothing can have come yet: the server waits for the client's first word.
    guard buffer.isEmpty || bug == .keepsBufferAcrossStartTLS || !isGood else { throw PeerGone() }
    if isGood { try await connection.startTLS(context, serverHostname: "server") }
    do {
      while case let bytes = try await connection.read(upTo: 500), !bytes.isEmpty { buffer += bytes }
    } catch let error as TLSError where error.code == .truncated && bug == .takesCutForEnd {}
    return buffer
  }

  private static func pass(from source: StreamConnection, to target: StreamConnection, _ attack: Attack?) async throws {
    do {
      while case let bytes = try await source.read(upTo: 500), !bytes.isEmpty {
        let passed = attack?.change(bytes) ?? bytes
        if !passed.isEmpty { try await target.write(passed) }
        if attack?.isOver == true { break }
      }
      try target.writeEOF()
    } catch let error where isTrouble(error) {}
  }
}

/// What the one in between does to what the server says. In the loop's thread, which is what makes the unchecked
/// conformance right.
private final class Attack: @unchecked Sendable {
  private enum Kind: CaseIterable { case none, cut, add, refuse }

  private let kind: Kind
  private var room: Int
  private(set) var isOver = false

  init(_ world: SimulationWorld) {
    kind = Kind.allCases[world.random.below(Kind.allCases.count)]
    // A cut falls into the handshake, the file, or after everything.
    room = world.random.below(4000)
  }

  func change(_ bytes: [UInt8]) -> [UInt8] {
    defer { room -= bytes.count }
    switch kind {
    case .none: return bytes
    case .cut:
      isOver = room <= bytes.count
      return Array(bytes.prefix(max(0, room)))
    case .add:
      return bytes.starts(with: Array("go\n".utf8)) ? bytes + Array("evil".utf8) : bytes
    case .refuse:
      isOver = true
      return Array("no\nevil".utf8)
    }
  }
}

extension SimulationWorld {
  /// Try until it works, or at least until nobody attacks.
  fileprivate func retryingTLS<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    while true {
      do { return try await body() } catch let error where error is TLSError || isTrouble(error) {}
      try await AsyncIO.sleep(for: .milliseconds(10))
    }
  }
}
