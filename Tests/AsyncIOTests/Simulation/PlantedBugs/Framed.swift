import AsyncIO
import SystemPackage

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// Requests and answers with a length in front; the client comes again until it has its answer.
  static let framed = PlantedProtocol(
    name: "framed",
    bugs: [
      .takesReadForMessage, .givesUpWhenRefused, .keepsConnectionAfterTimeout, .keepsBufferAfterReconnect,
      .takesEndForAttack, .refusesLongestMessage,
    ], faults: .hostile
  ) { world, bug in
    let shutOut = Kept<Set<String>>([])
    world.serve("server") { connection in
      try await Framed.serve(connection, shutOut, bug)
    }
    let answers = Kept(0)
    let client = world.host("client")
    client.start("client") {
      let client = FramedClient(bug)
      defer { client.drop() }
      for number in 0..<6 {
        let count = number == 3 ? Framed.limit : 1 + world.random.below(Framed.limit)
        let request = (0..<count).map { UInt8(truncatingIfNeeded: $0 &+ number &* 37) }
        let answer = try await client.answer(to: request)
        try world.require(answer == request.map { $0 &+ 1 }, "the answer belongs to another request")
        answers.value += 1
        // Now and then it has nothing to ask for a while.
        if number % 2 == 1 { client.drop() }
      }
    }
    try await world.eventually("every request is answered", within: .seconds(300)) { answers.value == 6 }
  }

  /// Two tasks send frames over one connection.
  static let frames = PlantedProtocol(
    name: "frames", bugs: [.unlocksBetweenHeaderAndBody], faults: tight
  ) { world, bug in
    let received = Kept(0)
    world.serve("server") { connection in
      while received.value < 10 {
        let header = try await connection.readExactly(2)
        let body = try await connection.readExactly(Int(header[1]))
        try world.require(body.allSatisfy { $0 == header[0] }, "a frame has bytes of another one")
        received.value += 1
      }
    }
    try await world.host("client").run {
      let connection = try await world.retrying { try await StreamConnection.connect(host: "server", port: 80) }
      let lock = AsyncLock()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for sender in [UInt8(1), 2] {
          group.addTask {
            for count in [1, 50, 200, 3, 250] {
              let body = Array(repeating: sender, count: count)
              if bug == .unlocksBetweenHeaderAndBody {
                try await lock.withLock { try await connection.write([sender, UInt8(count)]) }
                try await lock.withLock { try await connection.write(body) }
              } else {
                try await lock.withLock {
                  try await connection.write([sender, UInt8(count)])
                  try await connection.write(body)
                }
              }
            }
          }
        }
        try await group.waitForAll()
      }
      try await world.eventually("every frame arrives") { received.value == 10 }
      connection.close()
    }
  }
}

enum Framed {
  static let limit = 300

  static func frame(_ body: [UInt8]) -> [UInt8] { [UInt8(body.count >> 8), UInt8(body.count & 255)] + body }

  static func serve(_ connection: StreamConnection, _ shutOut: Kept<Set<String>>, _ bug: PlantedBug?) async throws {
    let peer = connection.peerAddress?.host ?? ""
    guard !shutOut.value.contains(peer) else { return }
    while true {
      let header: [UInt8]
      do {
        header = try await connection.readExactly(2)
      } catch let error as IncompleteReadError {
        if bug == .takesEndForAttack { shutOut.value.insert(peer) }
        throw error
      }
      let count = Int(header[0]) << 8 | Int(header[1])
      guard bug == .refusesLongestMessage ? count < limit : count <= limit else { return }
      let body =
        bug == .takesReadForMessage ? try await connection.read(upTo: count) : try await connection.readExactly(count)
      try await connection.write(frame(body.map { $0 &+ 1 }))
    }
  }
}

/// The client's side. In the loop's thread, which is what makes the unchecked conformance right.
private final class FramedClient: @unchecked Sendable {
  private let bug: PlantedBug?
  private var connection: StreamConnection?
  private var buffer: [UInt8] = []

  init(_ bug: PlantedBug?) { self.bug = bug }

  func answer(to request: [UInt8]) async throws -> [UInt8] {
    var pause = Duration.milliseconds(10)
    while true {
      do {
        return try await withTimeout(.milliseconds(500)) {
          let connection = try await connected()
          try await connection.write(Framed.frame(request))
          return try await read(connection)
        }
      } catch let error where isTrouble(error) {
        if bug == .givesUpWhenRefused, let error = error as? ConnectError, error.isRefusal { throw error }
        if bug != .keepsConnectionAfterTimeout || !(error is TimeoutError) { drop() }
      }
      try await AsyncIO.sleep(for: pause)
      pause = min(pause * 2, .seconds(1))
    }
  }

  private func connected() async throws -> StreamConnection {
    if let connection { return connection }
    let made = try await StreamConnection.connect(host: "server", port: 80)
    connection = made
    return made
  }

  private func read(_ connection: StreamConnection) async throws -> [UInt8] {
    while true {
      if buffer.count >= 2 {
        let end = 2 + Int(buffer[0]) << 8 + Int(buffer[1])
        if buffer.count >= end {
          defer { buffer.removeFirst(end) }
          return Array(buffer[2..<end])
        }
      }
      let bytes = try await connection.read(upTo: 64)
      if bytes.isEmpty { throw PeerGone() }
      buffer += bytes
    }
  }

  func drop() {
    connection?.close()
    connection = nil
    if bug != .keepsBufferAfterReconnect { buffer = [] }
  }
}

extension ConnectError {
  /// Nobody listens at any of the addresses.
  fileprivate var isRefusal: Bool { attempts.allSatisfy { $0.errno == .connectionRefused } }
}
