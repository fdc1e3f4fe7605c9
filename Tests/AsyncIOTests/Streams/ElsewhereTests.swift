import SystemPackage
import Testing

@testable import AsyncIO

/// Connections in the hands of tasks that run elsewhere (legal Swift brings them there), and of loops that are closed.
@Suite(.timeLimit(.minutes(5)))
struct ElsewhereTests {
  /// Read and write in every form, from wherever it is called.
  private static func converse(_ near: StreamConnection, _ far: StreamConnection) async throws {
    try await near.write("one\ntwo")
    #expect(try await far.readLine() == "one")
    #expect(try await far.readExactly(3) == Array("two".utf8))
    try await far.write(numbered(0..<300_000).prefix(1000) + [])
    #expect(try await near.read(upTo: 10) == numbered(0..<10))
    #expect(try await near.readExactly(990) == numbered(10..<1000))
    async let sent: Void = near.write(numbered(0..<3_000_000))
    #expect(try await far.readExactly(3_000_000) == numbered(0..<3_000_000))
    try await sent
    async let echo: Void = far.forEachChunk { try await far.write($0) }
    try await near.write("echo")
    #expect(try await near.readExactly(4) == Array("echo".utf8))
    try near.writeEOF()
    try await echo
  }

  @MainActor private static func converseOnMainActor(_ near: StreamConnection, _ far: StreamConnection) async throws {
    try await converse(near, far)
  }

  @Test(
    "A connection works in a task of the pool, of the main actor, and of another loop", arguments: LoopKind.allCases)
  func elsewhere(kind: LoopKind) async throws {
    for place in 0..<3 {
      try await kind.withPair { near, far in
        switch place {
        case 0: try await Task.detached { try await Self.converse(near, far) }.value
        case 1: try await Self.converseOnMainActor(near, far)
        default: try await kind.run { _ in try await Self.converse(near, far) }
        }
      }
    }
  }

  @Test("A read elsewhere is cancelled, and ended by a close", arguments: LoopKind.allCases)
  func endedElsewhere(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let cancelled = Task.detached { _ = try await near.read(upTo: 1) }
      try await turnUntil { near.isReading }
      cancelled.cancel()
      await #expect(throws: CancellationError.self) { try await cancelled.value }
      let closed = Task.detached { try await near.forEachChunk { _ in } }
      try await turnUntil { near.isReading }
      near.close()
      let error = try await failure(IOError.self) { try await closed.value }
      #expect(error.errno == .canceled)
    }
  }

  @Test("What needs the loop's thread says so elsewhere", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let codes = await Task.detached { () -> [EventLoopError.Code?] in
        var codes: [EventLoopError.Code?] = []
        do { try await near.serveChunks { _, _ in } } catch { codes.append((error as? EventLoopError)?.code) }
        do { try await listener.serve { _ in } } catch { codes.append((error as? EventLoopError)?.code) }
        do { _ = try await StreamListener.bind(port: 0) } catch { codes.append((error as? EventLoopError)?.code) }
        do { _ = try await StreamConnection.connect(host: "::1", port: 1) } catch {
          codes.append((error as? EventLoopError)?.code)
        }
        return codes
      }.value
      #expect(codes == [.wrongThread, .wrongThread, .noRunningLoop, .noRunningLoop])
      listener.close()
    }
  }

  @Test(
    "hazard H3: closing a loop ends a thousand waiting reads, elsewhere and on it, with an error",
    arguments: LoopKind.allCases
  )
  func closedLoop(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let (tasks, pairs) = try await loop.run {
      var tasks: [Task<Void, any Error>] = []
      var pairs: [StreamPair] = []
      for number in 0..<500 {
        let pair = try await StreamPair.make()
        pairs.append(pair)
        if number.isMultiple(of: 2) {
          tasks.append(try loopTask { _ = try await pair.near.read(upTo: 1) })
          tasks.append(try loopTask { try await pair.far.forEachChunk { _ in } })
        } else {
          tasks.append(Task.detached { _ = try await pair.near.read(upTo: 1) })
          tasks.append(Task.detached { try await pair.far.forEachChunk { _ in } })
        }
      }
      let waiting = pairs
      try await turnUntil { waiting.allSatisfy { $0.near.isReading && $0.far.isReading } }
      return (tasks, pairs)
    }
    try loop.close()
    for task in tasks {
      let error = try await failure(EventLoopError.self) { try await task.value }
      #expect(error.code == .closed)
    }
    for pair in pairs { pair.close() }
    let late = try await failure(IOError.self) { _ = try await pairs[0].near.read(upTo: 1) }
    #expect(late.errno == .badFileDescriptor)
  }

  @Test("A connection of a closed loop that is still open refuses with code closed", arguments: LoopKind.allCases)
  func openAfterClose(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let pair = try await loop.run { try await StreamPair.make() }
    try loop.close()
    for form in 0..<3 {
      let error = try await failure(EventLoopError.self) {
        switch form {
        case 0: _ = try await pair.near.readExactly(1)
        case 1: try await pair.near.write("x")
        default: try await pair.near.forEachChunk { _ in }
        }
      }
      #expect(error.code == .closed)
    }
    pair.close()
  }
}
