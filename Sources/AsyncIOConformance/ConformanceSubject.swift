public import AsyncIO

/// What the body of a check works with: it makes the loops, keeps what was seen, and compares it with what is expected.
///
/// An expectation that does not hold is remembered and thrown, so it fails the check even if a callback threw it into
/// the loop. What is left when the body has ended is closed: loops, and whatever was given to ``atEnd(_:)``.
///
/// Any thread.
public final class ConformanceSubject: Sendable {
  private struct State {
    var seen: [Observation] = []
    var failure: String?
    var loops: [any EventLoop] = []
    var reports: [ExceptionContext] = []
    var endings: [@Sendable () -> Void] = []
  }

  /// Makes a loop that the subject does not know of, for checks of what happens to a loop that is never closed.
  public let factory: @Sendable () throws -> any EventLoop
  private let state = Lock(State())

  init(factory: @escaping @Sendable () throws -> any EventLoop) {
    self.factory = factory
  }

  // MARK: Loops

  /// Make a loop, which is closed after the check. Its reports are kept, see ``takeReports()``.
  public func makeLoop() throws -> any EventLoop {
    let loop = try factory()
    loop.exceptionHandler = { [weak self] _, context in self?.state.withLock { $0.reports.append(context) } }
    state.withLock { $0.loops.append(loop) }
    return loop
  }

  /// Make a loop, run the body as a task on it, in this thread, and close it.
  public func run<Value: Sendable>(
    _ body: @escaping @Sendable (any EventLoop) async throws -> Value
  ) throws -> Value {
    let loop = try makeLoop()
    return try loop.run { try await body(loop) }
  }

  /// Take what the loops of ``makeLoop()`` have reported so far. A report that is not taken fails the check.
  public func takeReports() -> [ExceptionContext] {
    state.withLock { state in
      defer { state.reports = [] }
      return state.reports
    }
  }

  /// How many reports there are to take.
  public var reportCount: Int { state.withLock { $0.reports.count } }

  /// Run a body when the check's body has ended, last one first, before the loops are closed.
  public func atEnd(_ body: @escaping @Sendable () -> Void) {
    state.withLock { $0.endings.append(body) }
  }

  // MARK: Seeing

  /// Keep what was seen, for the report and for comparison.
  public func saw(_ name: String, _ value: any CustomStringConvertible) {
    let value = value.description.replacing("\n", with: " ")
    state.withLock { $0.seen.append(Observation(name: name, value: value)) }
  }

  /// Fail the check unless the value is the expected one; keep it either way.
  public func expect<Value: Equatable>(_ name: String, _ value: Value, _ expected: Value) throws {
    saw(name, "\(value)")
    if value != expected { try fail("\(name): expected \(expected), saw \(value)") }
  }

  /// Fail the check unless the trail is the expected one, its marks with spaces between them.
  public func expect(_ name: String, _ trail: Trail, _ expected: String) throws {
    try expect(name, trail.text, expected)
  }

  /// Fail the check unless the condition holds. The name says what holds: "the loop runs on".
  public func expect(_ name: String, _ condition: Bool) throws {
    try expect(name, condition, true)
  }

  /// Fail the check unless the condition holds; what varies from run to run is told only then.
  public func require(_ condition: Bool, _ otherwise: @autoclosure () -> String) throws {
    if !condition { try fail(otherwise()) }
  }

  /// Fail the check unless the value exists.
  public func unwrap<Value>(_ name: String, _ value: Value?) throws -> Value {
    guard let value else {
      try fail("\(name): expected one, saw none")
    }
    return value
  }

  /// Fail the check unless the body is refused with this code, which is kept: "closed".
  public func expectRefusal<Value>(
    _ name: String, _ code: EventLoopError.Code, _ body: () throws -> Value
  ) throws {
    let answer = refusal(body)
    saw(name, answer.text)
    if answer.code != code { try fail("\(name): expected the refusal \(code), saw \(answer.text)") }
  }

  /// Return what a call is refused with: a code, the description of another error, or "accepted".
  private func refusal<Value>(_ body: () throws -> Value) -> (code: EventLoopError.Code?, text: String) {
    do {
      _ = try body()
      return (nil, "accepted")
    } catch let error as EventLoopError {
      return (error.code, "\(error.code)")
    } catch {
      return (nil, "\(error)")
    }
  }

  /// Fail the check.
  public func fail(_ why: String) throws -> Never {
    let failure = ConformanceFailure(description: why)
    state.withLock { state in
      if state.failure == nil { state.failure = why }
    }
    throw failure
  }

  /// End the check: the loop or the system does not have what it is about.
  public func notOffered(_ why: String) throws -> Never { throw NotOffered(why: why) }

  // MARK: The end

  /// Return the result of a body that has ended, after everything that it left behind was closed.
  func finish(_ check: ConformanceCheck, threw error: (any Error)?) -> ConformanceResult {
    for ending in state.withLock({ $0.endings.reversed() }) { ending() }
    let loops = state.withLock { state in
      defer {
        state.loops = []
        state.endings = []
      }
      return state.loops
    }
    let untaken = takeReports()
    for loop in loops {
      // Removed first: what a close reports about leftovers is not a finding.
      loop.exceptionHandler = { _, _ in }
      try? loop.close()
    }
    let (seen, failure) = state.withLock { ($0.seen, $0.failure) }
    let outcome: ConformanceResult.Outcome
    if let failure {
      outcome = .failed(failure)
    } else if let error = error as? NotOffered {
      outcome = .notOffered(error.why)
    } else if let error {
      outcome = .failed("threw \(error)")
    } else if let report = untaken.first {
      outcome = .failed("the loop reported: \(report)")
    } else {
      outcome = .passed
    }
    return ConformanceResult(check: check, outcome: outcome, seen: seen)
  }

  /// Return the result of a body that did not end. Nothing is closed: its thread may be using it.
  func abandoned(_ check: ConformanceCheck, after limit: Duration) -> ConformanceResult {
    let (seen, failure) = state.withLock { ($0.seen, $0.failure) }
    let why = failure.map { ", after \($0)" } ?? ""
    return ConformanceResult(check: check, outcome: .failed("did not end within \(limit)\(why)"), seen: seen)
  }
}

/// An expectation that did not hold.
struct ConformanceFailure: Error, CustomStringConvertible { let description: String }

/// What a check is about does not exist.
struct NotOffered: Error { let why: String }
