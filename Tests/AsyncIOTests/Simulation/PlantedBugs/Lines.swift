import AsyncIO

@testable import AsyncIOSimulation

extension PlantedProtocol {
  /// Many lines under way on one connection; answers come in the order of the questions.
  static let lines = PlantedProtocol(
    name: "lines", bugs: [.answersAsTasksEnd, .takesReadForLines, .writesAllBeforeReading, .forgetsLastLine],
    faults: tight
  ) { world, bug in
    world.serve("server") { connection in
      var server = LineServer(bug)
      try await server.run(connection)
    }
    try await world.host("client").run {
      let connection = try await world.retrying { try await StreamConnection.connect(host: "server", port: 80) }
      defer { connection.close() }
      // The last one has no line end.
      let questions = (0..<150).map { "question \($0) " + String(repeating: "x", count: 40) }
      let text = questions.joined(separator: "\n")
      let answers: [String]
      if bug == .writesAllBeforeReading {
        try await connection.write(text)
        try connection.writeEOF()
        answers = try await lines(connection)
      } else {
        async let read = lines(connection)
        try await connection.write(text)
        try connection.writeEOF()
        answers = try await read
      }
      try world.require(answers == questions.map { "re: \($0)" }, "the answers are not those to the questions")
    }
  }

  /// Buffers are small, often on both sides.
  static let tight: FaultPlan = {
    var plan = FaultPlan.mild
    plan[.smallBuffers] = 0.8
    return plan
  }()

  @Sendable private static func lines(_ connection: StreamConnection) async throws -> [String] {
    var lines: [String] = []
    while let line = try await connection.readLine() { lines.append(line) }
    return lines
  }
}

private struct LineServer {
  private let bug: PlantedBug?
  private var rest: [UInt8] = []

  init(_ bug: PlantedBug?) { self.bug = bug }

  mutating func run(_ connection: StreamConnection) async throws {
    while true {
      let bytes = try await connection.read(upTo: 1000)
      if bytes.isEmpty { break }
      try await connection.write(await answer(split(bytes)))
    }
    if !rest.isEmpty, bug != .forgetsLastLine { try await connection.write(await answer([rest])) }
  }

  private mutating func split(_ bytes: [UInt8]) -> [[UInt8]] {
    let newline = UInt8(ascii: "\n")
    if bug == .takesReadForLines { return bytes.split(separator: newline).map(Array.init) }
    var lines = (rest + bytes).split(separator: newline, omittingEmptySubsequences: false).map(Array.init)
    rest = lines.removeLast()
    return lines
  }

  private func answer(_ lines: [[UInt8]]) async -> [UInt8] {
    if bug == .answersAsTasksEnd {
      return await withTaskGroup(of: [UInt8].self) { group in
        for line in lines { group.addTask { await Self.answer(line) } }
        return await group.reduce(into: []) { $0 += $1 }
      }
    }
    var answers: [UInt8] = []
    for line in lines { answers += await Self.answer(line) }
    return answers
  }

  private static func answer(_ line: [UInt8]) async -> [UInt8] {
    await Task.yield()
    return Array("re: ".utf8) + line + Array("\n".utf8)
  }
}
