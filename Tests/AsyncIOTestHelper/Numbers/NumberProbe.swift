import AsyncIO

/// The numbers that are called with: what is wrong about a number shows at the ends of its type, and around zero.
enum Extreme {
  static let ints = [
    Int.min, .min + 1, Int(Int32.min) - 1, -1, 0, 1, Int(Int32.max), Int(Int32.max) + 1, Int(UInt32.max), .max - 1,
    .max,
  ]
  static let int32s: [Int32] = [.min, .min + 1, -1, 0, 1, .max - 1, .max]
  static let int64s: [Int64] = [.min, .min + 1, -1, 0, 1, Int64(Int32.max) + 1, .max - 1, .max]
  static let ports: [UInt16] = [0, 1, .max]
  static let uint64s: [UInt64] = [0, 1, UInt64(Int64.max), .max]
  static let doubles: [Double] = [
    .nan, .infinity, -.infinity, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, 0, -0.0,
    1e-10, -1e-10, 9.3e9, -9.3e9, 1e20, -1e20,
  ]
  static let durations: [Duration] = [
    .seconds(-1.7e20), .seconds(-1e20), .seconds(Int64.min), .nanoseconds(Int64.min), .seconds(-1), .nanoseconds(-1),
    Duration(secondsComponent: 0, attosecondsComponent: -1), .zero,
    Duration(secondsComponent: 0, attosecondsComponent: 1), .nanoseconds(1), .nanoseconds(Int64.max - 1),
    .nanoseconds(Int64.max), .seconds(Int64.max), .seconds(1e20), .seconds(1.7e20),
  ]
  static let instants = int64s.map { EventLoopInstant(nanoseconds: $0) }
}

/// Calls entry points with numbers and tells the test of each: before a call where it is, so that the end of the
/// process is the end of that call, and after it what was wrong.
///
/// Right as `Sendable` because one call is made after the other.
final class NumberProbe: @unchecked Sendable {
  private var wrongs = 0
  private var calls = 0

  /// - Parameters:
  ///   - name: the entry point, as the test finds it in the sources.
  ///   - isRefused: for which values the call has to throw `invalidArgument`. The others may be taken, or meet an error
  ///     of the system; nil is both for all.
  func each<Value>(
    _ name: String, _ values: [Value], refusing isRefused: ((Value) -> Bool)? = { _ in false },
    _ call: (Value) async throws -> Void
  ) async {
    fact("entry \(name)", "")
    for value in values {
      fact("at", "\(name) with \(value)")
      calls += 1
      let mustRefuse = isRefused?(value)
      do {
        try await call(value)
        if mustRefuse == true { wrong("\(name) takes \(value)") }
      } catch let error as EventLoopError where error.code == .invalidArgument {
        if mustRefuse == false { wrong("\(name) refuses \(value): \(error)") }
        if !error.description.contains(".") { wrong("\(name) does not say what to do: \(error)") }
      } catch {
        if mustRefuse == true { wrong("\(name) with \(value) throws \(type(of: error)), \(error)") }
      }
    }
    fact("calls", calls)
  }

  /// Something that is tried by the calls of others.
  func also(_ names: String...) {
    for name in names { fact("entry \(name)", "") }
  }

  private func wrong(_ text: String) {
    wrongs += 1
    fact("wrong \(wrongs)", text)
  }
}

/// Run the calls of a topic as a task on the loop that the environment chooses.
func probing(_ body: @escaping @Sendable (NumberProbe, any EventLoop) async throws -> Void) -> () throws -> Void {
  {
    let loop = try newEventLoop()
    defer { try? loop.close() }
    loop.exceptionHandler = { _, _ in }
    let probe = NumberProbe()
    try loop.run { try await body(probe, loop) }
    fact("at", "the end")
  }
}

nonisolated(unsafe) let numberCases: [String: () throws -> Void] = [
  "numbers-time": probing(probeTime),
  "numbers-loop": probing(probeLoop),
  "numbers-streams": probing(probeStreams),
  "numbers-listening": probing(probeListening),
  "numbers-sockets": probing(probeSockets),
  "numbers-names": probing(probeNames),
  "numbers-transports": probing(probeTransports),
  "numbers-servers": probing(probeServers),
  "numbers-embedding": probing(probeEmbedding),
  "numbers-channels": probing(probeChannels),
  "numbers-locks": probing(probeLocks),
  "numbers-children": probing(probeChildren),
  "numbers-loops": probeLoops,
  "numbers-simulation": probing(probeSimulation),
]
