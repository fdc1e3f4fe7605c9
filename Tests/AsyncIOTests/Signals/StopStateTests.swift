import Testing

@testable import AsyncIO

/// The state of a graceful stop, without a loop.
struct StopStateTests {
  private static func at(_ seconds: Int64) -> EventLoopInstant {
    EventLoopInstant(nanoseconds: seconds * 1_000_000_000)
  }
  private final class Object {}

  @Test("A request is repeated without harm; only a signal after it means at once")
  func requests() {
    var stop = StopState()
    #expect(stop.request(at: Self.at(1)) == .drain)
    #expect(stop.request(at: Self.at(2)) == .none)
    #expect(stop.note(signal: 15, at: Self.at(3)) == .cancel)
    #expect(stop.note(signal: 15, at: Self.at(4)) == .none)
    #expect(stop.limitReached() == .none)
    let report = stop.report(at: Self.at(5))
    #expect(report.signal == nil && report.wasForced && report.duration == .seconds(4))
  }

  @Test("Two signals: the first one requests, the second one forces")
  func signals() {
    var stop = StopState()
    #expect(stop.note(signal: 2, at: Self.at(1)) == .drain)
    #expect(stop.phase == .draining)
    #expect(stop.note(signal: 15, at: Self.at(2)) == .cancel)
    let report = stop.report(at: Self.at(2))
    #expect(report.signal == 2 && report.wasForced && report.wasRequested)
  }

  @Test("The limit counts only after a request, and once; force works without one")
  func limits() {
    var stop = StopState()
    #expect(stop.limitReached() == .none)
    #expect(!stop.report(at: Self.at(9)).wasRequested && stop.report(at: Self.at(9)).duration == .zero)
    #expect(stop.force(at: Self.at(1)) == .cancel)
    #expect(stop.force(at: Self.at(1)) == .none)
    #expect(stop.report(at: Self.at(3)).wasForced)
  }

  @Test("The report names each of those that were cancelled once, with its time, and to its owner")
  func stragglers() {
    var stop = StopState()
    let (first, second, late) = (Object(), Object(), Object())
    _ = stop.request(at: Self.at(10))
    // It ends before the limit and is not in the list.
    stop.ended(ObjectIdentifier(late), at: Self.at(11))
    #expect(stop.limitReached() == .cancel)
    let entries = [StopEntry(id: ObjectIdentifier(first), name: "first")]
    stop.willCancel(entries, of: 1)
    stop.willCancel(entries, of: 1)
    stop.willCancel([StopEntry(id: ObjectIdentifier(second), name: "second")], of: 2)
    #expect(stop.stillRunning == ["first", "second"])
    stop.ended(ObjectIdentifier(first), at: Self.at(13))
    #expect(stop.stillRunning == ["second"])
    let report = stop.report(at: Self.at(15))
    #expect(report.unfinished.map(\.name) == ["first", "second"])
    #expect(report.unfinished.map(\.duration) == [.seconds(3), .seconds(5)])
    #expect(!report.wasForced)
    #expect(stop.report(at: Self.at(15), of: 2).unfinished.map(\.name) == ["second"])
    #expect("\(report)" == "stopped by request in 5.0 seconds; cancelled: first (3.0 seconds), second (5.0 seconds)")
    stop.withdraw(ObjectIdentifier(second))
    #expect(stop.report(at: Self.at(15)).unfinished.map(\.name) == ["first"])
    withExtendedLifetime((first, second, late)) {}
  }
}
