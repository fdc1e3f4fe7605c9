import AsyncIO
import AsyncIOHummingbird
import AsyncIONIO
import AsyncIOSimulation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Synchronization

/// A service that keeps entries: a client gives one a number, and may say it again until it has an answer.
final class Ledger: Sendable {
  /// A mistake that a campaign has to find.
  enum Mistake: Sendable {
    case none
    /// A handler takes what has come of a body for all of it, when the rest is lost.
    case takesPartOfABody
    /// An entry that comes twice counts twice.
    case countsRepetitions
  }

  private struct State {
    var entries: [Int: [UInt8]] = [:]
    var total = 0
  }
  private let state = Mutex(State())
  private let mistake: Mistake
  private let idleTimeout: TimeAmount

  init(_ mistake: Mistake = .none, idleTimeout: TimeAmount = .seconds(60)) {
    (self.mistake, self.idleTimeout) = (mistake, idleTimeout)
  }

  func entry(_ number: Int) -> [UInt8]? { state.withLock { $0.entries[number] } }
  /// How many entries were taken.
  var total: Int { state.withLock { $0.total } }
  var entries: [Int: [UInt8]] { state.withLock { $0.entries } }

  private func keep(_ body: [UInt8], as number: Int) {
    state.withLock { state in
      let isNew = state.entries.updateValue(body, forKey: number) == nil
      if isNew || mistake == .countsRepetitions { state.total += 1 }
    }
  }

  var router: Router<BasicRequestContext> {
    let router = Router()
    router.put("/entries/{number}") { request, context in
      let number = try context.parameters.require("number", as: Int.self)
      self.keep(try await self.body(of: request), as: number)
      return Response(status: .created)
    }
    router.get("/entries/{number}") { _, context in
      guard let body = self.entry(try context.parameters.require("number", as: Int.self)) else {
        throw HTTPError(.notFound)
      }
      return ByteBuffer(bytes: body)
    }
    router.post("/echo") { request, _ in Response(status: .ok, body: .init(asyncSequence: request.body)) }
    router.get("/slow/{seconds}") { _, context in
      let seconds = try context.parameters.require("seconds", as: Int.self)
      try await Task.sleep(for: .seconds(seconds))
      return "\(seconds)"
    }
    return router
  }

  private func body(of request: Request) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    do {
      for try await part in request.body { bytes += part.readableBytesView }
    } catch {
      guard mistake == .takesPartOfABody else { throw error }
    }
    return bytes
  }

  /// Serve in a simulated world, until the program is cancelled.
  @Sendable func serve() async throws {
    let application = Application(
      router: router, server: .http1(configuration: .init(idleTimeout: idleTimeout)),
      configuration: .init(address: .hostname("10.0.0.1", port: 80)),
      logger: Setting.quiet)
    while !Task.isCancelled {
      do {
        return try await application.run(on: .running(), options: .init(drain: .seconds(5)))
      } catch is NIOCore.IOError {
        // No descriptor was left to listen with.
        try? await sleep(for: .seconds(1))
      }
    }
  }
}

/// How a request can end. Anything else is a failure of the scenario.
enum Outcome: Equatable {
  case answered(Answer)
  /// No connection, or it was lost before the answer was complete.
  case lost
  case timedOut
}

extension Outcome {
  /// Do one request on a connection of its own. Its body goes while the answer comes: if all of it went first, an echo
  /// might wait for this side, and this side for the echo.
  static func of(_ line: String, body: [UInt8] = [], within limit: Duration = .seconds(20)) async throws -> Outcome {
    do {
      return try await withTimeout(limit) {
        let connection = try await StreamConnection.connect(host: "10.0.0.1", port: 80)
        defer { connection.close() }
        async let sent: Void = connection.request(line, body)
        let answer = try await connection.answer()
        try await sent
        return .answered(answer)
      }
    } catch is TimeoutError {
      return .timedOut
    } catch is AsyncIO.IOError {
      return .lost
    } catch is IncompleteReadError {
      return .lost
    } catch is ConnectionEnded {
      return .lost
    }
  }

  var answer: Answer? {
    if case .answered(let answer) = self { return answer }
    return nil
  }
}

extension StreamConnection {
  fileprivate func request(_ line: String, _ body: [UInt8]) async throws {
    try await send("\(line) HTTP/1.1", "host: ledger", "content-length: \(body.count)")
    try await write(body)
  }
}
