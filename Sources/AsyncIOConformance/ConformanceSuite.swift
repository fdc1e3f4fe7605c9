public import AsyncIO
internal import CConformance

/// The numbered list of behaviours that an event loop is held to, as checks that run on any loop.
///
/// From a test of your own loop:
///
/// ```swift
/// let report = ConformanceSuite.run(loopName: "mine") { SelectorEventLoop(selector: try MySelector()) }
/// #expect(report.isConforming, "\(report.table)")
/// ```
public enum ConformanceSuite {
  /// All checks, in the order of the list.
  public static let checks: [ConformanceCheck] = [
    policyChecks, policyProcessChecks, forkChecks, windowsPolicyChecks, lifeCycleChecks, closingChecks,
    schedulingChecks, timerChecks, threadChecks, threadRuleChecks,
    descriptorChecks, socketOperationChecks, connectionChecks, serverChecks, transportChecks, datagramChecks,
    unixSocketAndPipeChecks, pipeChecks, signalChecks, subprocessChecks, subprocessTransportChecks,
    executorAndNameChecks, protectionChecks, futureAndTaskChecks, combinatorChecks, runnerChecks, debugChecks,
    streamConnectingChecks,
    streamListeningChecks, nameChecks,
  ].flatMap(\.self).enumerated().sorted { a, b in
    // A line's main check comes before those of its facets.
    (a.element.line, a.element.facet == nil ? 0 : 1, a.offset) < (
      b.element.line, b.element.facet == nil ? 0 : 1, b.offset
    )
  }.map(\.element)

  /// Return the check of a name, see ``ConformanceCheck/id``.
  public static func check(_ id: String) -> ConformanceCheck? { checks.first { $0.id == id } }

  /// How long a check may take.
  public static var defaultLimit: Duration { .seconds(20) }

  /// Run checks on the loops of a factory, one after another, and look for descriptors that each leaves open. Blocks
  /// the calling thread.
  ///
  /// - Parameters:
  ///   - loopName: the name of the loop in the report; the launcher is also given it.
  ///   - checks: which ones; all of them unless said otherwise.
  ///   - launcher: runs a check in a process of its own. Without one, checks that need that are not offered.
  ///   - limit: how long a check may take.
  ///   - progress: called with each result as it comes.
  ///   - factory: makes a loop. Any thread.
  public static func run(
    loopName: String, checks: [ConformanceCheck] = ConformanceSuite.checks, launcher: ConformanceLauncher? = nil,
    limit: Duration = defaultLimit, progress: (ConformanceResult) -> Void = { _ in },
    factory: @escaping @Sendable () throws -> any EventLoop
  ) -> ConformanceReport {
    var report = ConformanceReport(loopName: loopName, results: [])
    for check in checks {
      let result: ConformanceResult
      if check.surroundings.contains(.ownProcess) {
        result =
          launcher?.run(check, loopName: loopName, limit: limit)
          ?? ConformanceResult(check: check, outcome: .notOffered("it needs a launcher, for a process of its own"))
      } else {
        result = runAndCount(check, limit: limit, factory: factory)
      }
      report.results.append(result)
      progress(result)
    }
    return report
  }

  /// Run one check on a thread of its own and wait for its end, or for the limit. The caller provides its
  /// ``ConformanceCheck/surroundings``. Blocks the calling thread.
  public static func run(
    _ check: ConformanceCheck, limit: Duration = defaultLimit, factory: @escaping @Sendable () throws -> any EventLoop
  ) -> ConformanceResult {
    let subject = ConformanceSubject(factory: factory)
    let thread = CheckThread { execute(check, subject) }
    return thread.wait(for: limit) ?? subject.abandoned(check, after: limit)
  }

  /// The asynchronous form of ``run(_:limit:factory:)``: for tests, which must not block the threads of the pool.
  public static func run(
    _ check: ConformanceCheck, limit: Duration = defaultLimit, factory: @escaping @Sendable () throws -> any EventLoop
  ) async -> ConformanceResult {
    await withUnsafeContinuation { continuation in
      startThread { continuation.resume(returning: run(check, limit: limit, factory: factory)) }
    }
  }

  /// Do the part of a check that its thread does.
  static func execute(_ check: ConformanceCheck, _ subject: ConformanceSubject) -> ConformanceResult {
    do {
      if let why = missing(check.surroundings) { try subject.notOffered(why) }
      if let why = try missing(check.capabilities, of: subject.factory) { try subject.notOffered(why) }
      try check.body(subject)
      return subject.finish(check, threw: nil)
    } catch {
      return subject.finish(check, threw: error)
    }
  }

  /// Return what the system does not have of what the check needs; nil if it has it.
  private static func missing(_ surroundings: ConformanceCheck.Surroundings) -> String? {
    if surroundings.contains(.signals), !Process.has(CCONFORMANCE_SIGNALS) {
      return "no process of this system sends itself signals"
    }
    if surroundings.contains(.forks), !Process.has(CCONFORMANCE_FORKS) {
      return "no process of this system forks"
    }
    return nil
  }

  /// Return why the loop cannot do what the check needs; nil if it can. A loop that cannot be asked can do everything.
  private static func missing(
    _ capabilities: IOCapabilities, of factory: () throws -> any EventLoop
  ) throws -> String? {
    guard !capabilities.isEmpty else { return nil }
    let loop = try factory()
    defer { try? loop.close() }
    guard let core = loop as? BaseEventLoop, !core.capabilities.isSuperset(of: capabilities) else { return nil }
    return "\(core.backendName) does not have what it needs"
  }
}
