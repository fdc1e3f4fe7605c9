// Two workers add to one number, which a register keeps. To add is to read the number and to write it back, and in
// between nobody else may: so a worker takes a lease first, which a lock service grants to one at a time, for a second.
//
// A worker looks at the clock before it writes, and still that is not enough: the lease may end while the write is on
// its way. Then the other worker reads the old number, and one of the two increments is lost. It takes a message that
// is late by most of a second to see it; LeaseTests finds the seeds of such worlds.
//
// The remedy is the fencing token, the number of the lease: a register that is fenced refuses a worker with an older
// one than it has seen.

import AsyncIO
import Synchronization

/// Grants one lease at a time. A lease that nobody gives back ends by itself.
final class LockService: Sendable {
  static let duration = Duration.seconds(1)

  private struct State {
    var token = 0
    var end = ContinuousClock.now
  }
  private let state = Mutex(State())

  /// "acquire": the lease's token, or "busy"; "release 7": "released".
  func answer(_ request: String) -> String {
    let words = request.split(separator: " ")
    return state.withLock { state in
      let now = ContinuousClock.now
      if words.first == "acquire" {
        guard now >= state.end else { return "busy" }
        state.token += 1
        state.end = now + Self.duration
        return "\(state.token)"
      }
      if words.last == "\(state.token)" { state.end = now }
      return "released"
    }
  }
}

/// Keeps a number.
final class Register: Sendable {
  private struct State {
    var value = 0
    var writes = 0
    var newestToken = 0
    var refusals = 0
  }
  private let state = Mutex(State())
  private let isFenced: Bool

  init(isFenced: Bool) { self.isFenced = isFenced }

  var value: Int { state.withLock { $0.value } }
  /// How often it was written; as all that anybody does is to add one, it should be the value.
  var writes: Int { state.withLock { $0.writes } }
  /// How often somebody came with a lease that was over.
  var refusals: Int { state.withLock { $0.refusals } }

  /// "read 7" and "write 7 42", where 7 is the token of the lease: the number, or "stale".
  func answer(_ request: String) -> String {
    let words = request.split(separator: " ")
    guard words.count > 1, let token = Int(words[1]) else { return "a token is missing" }
    return state.withLock { state in
      if isFenced {
        guard token >= state.newestToken else {
          state.refusals += 1
          return "stale"
        }
        // Reading counts: from here on no older lease changes what was read.
        state.newestToken = token
      }
      if words.first == "write", let value = words.last.flatMap({ Int($0) }) {
        state.value = value
        state.writes += 1
      }
      return "\(state.value)"
    }
  }
}

/// Answer one line on each connection.
func serve(_ listener: StreamListener, _ answer: @escaping @Sendable (String) -> String) async throws {
  try await listener.serve { connection in
    guard let request = try await connection.readLine() else { return }
    try await connection.write(answer(request) + "\n")
  }
}

/// Where a service is.
struct Service: Sendable {
  let host: String
  let port: UInt16

  func ask(_ request: String) async throws -> String {
    let connection = try await StreamConnection.connect(host: host, port: port)
    defer { connection.close() }
    try await connection.write(request + "\n")
    return try await connection.readLine() ?? ""
  }
}

/// Adds to the number, one at a time.
struct Worker: Sendable {
  let locks: Service
  let register: Service

  /// Add so often, as the register has said so.
  func run(increments: Int) async throws {
    var done = 0
    while done < increments {
      do {
        if try await increment() { done += 1 }
      } catch {
        // Nobody answers, or not any more: another try, unless this worker is to end.
        try Task.checkCancellation()
      }
      try await sleep(for: .milliseconds(20))
    }
  }

  /// False if nothing was added.
  private func increment() async throws -> Bool {
    // The lease is not granted before it is asked for, so it does not end before this.
    let end = ContinuousClock.now + LockService.duration
    guard let token = Int(try await locks.ask("acquire")) else { return false }
    guard let value = Int(try await register.ask("read \(token)")) else { return false }
    // Here the lease is looked at, and what is done under it takes another while.
    guard ContinuousClock.now < end else { return false }
    let answer = try await register.ask("write \(token) \(value + 1)")
    _ = try await locks.ask("release \(token)")
    return Int(answer) == value + 1
  }
}

/// All of it on one real loop, over the loopback.
@main struct Lease: AsyncProgram {
  static func run() async throws {
    let (locks, register) = (LockService(), Register(isFenced: true))
    let lockListener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    let registerListener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    let worker = Worker(
      locks: Service(host: "127.0.0.1", port: lockListener.port),
      register: Service(host: "127.0.0.1", port: registerListener.port))
    async let locksServe: Void = serve(lockListener, locks.answer)
    async let registerServes: Void = serve(registerListener, register.answer)
    async let red: Void = worker.run(increments: 10)
    async let blue: Void = worker.run(increments: 10)
    _ = try await (red, blue)
    lockListener.close()
    registerListener.close()
    _ = try await (locksServe, registerServes)
    print("two workers added 10 each, and the register has \(register.value)")
  }
}
