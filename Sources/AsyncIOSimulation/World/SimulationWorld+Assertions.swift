internal import AsyncIO

// What a tester states about a world.

extension SimulationWorld {
  /// Throw a ``SimulationFailure`` if the condition does not hold. The failure fails the scenario if it leaves the
  /// scenario or a host's program.
  public func require(
    _ condition: Bool, _ message: @autoclosure () -> String, fileID: StaticString = #fileID, line: UInt = #line
  ) throws {
    guard !condition else { return }
    throw completed(SimulationFailure(.invariant, "\(message()) (\(fileID):\(line))"))
  }

  /// Wait until the condition holds, and throw a ``SimulationFailure`` if it does not within the simulated time. The
  /// condition is checked now and then, at first every millisecond, later every second, so it must not change anything.
  public func eventually(
    _ what: String, within limit: Duration = .seconds(300), _ condition: () async throws -> Bool
  ) async throws {
    let start = now
    var pause = Duration.milliseconds(1)
    while true {
      if try await condition() { return }
      // A difference, because the limit may be the greatest duration.
      guard now - start < limit else {
        throw completed(SimulationFailure(.never, "\"\(what)\" did not come to hold within \(limit). \(whoWaits)"))
      }
      try await AsyncIO.sleep(for: pause)
      pause = min(pause * 2, .seconds(1))
    }
  }

  /// State what must hold from here on; it is checked after each turn of the loop, in its thread. It must not change
  /// anything.
  public func always(_ what: String, _ holds: @escaping () -> Bool) { invariants.append((what, holds)) }

  /// State that something rare happens, or that it does if the condition holds: a campaign in which it never did has
  /// tested less than its author thinks, and fails.
  public func sometimes(_ what: String, _ happened: Bool = true) { addSometimes(what, happened) }
}
