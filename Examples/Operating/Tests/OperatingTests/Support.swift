import AsyncIO
import Synchronization
import Testing

/// The loops that this machine has.
enum Kind: String, CaseIterable, CustomTestStringConvertible {
  case selector, proactor

  static let allCases: [Kind] = ProactorDetection.current.isAvailable ? [.selector, .proactor] : [.selector]

  var testDescription: String { rawValue }

  func makeLoop() throws -> any EventLoop { self == .selector ? try SelectorEventLoop() : try ProactorEventLoop() }

  /// Run the body on a loop of this kind.
  func run<Value: Sendable>(_ body: @escaping @Sendable (any EventLoop) async throws -> Value) async throws -> Value {
    try await AsyncIO.run(loopFactory: makeLoop) { try await body(getRunningLoop()) }
  }
}

/// What happened, in order, from any thread.
final class Record<Element: Sendable>: Sendable {
  private let elements = Mutex<[Element]>([])

  func add(_ element: Element) { elements.withLock { $0.append(element) } }
  var all: [Element] { elements.withLock { $0 } }
}

/// Wait in turns of the loop until a condition holds; a number of turns is the limit, not a time.
func turnUntil(_ condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) async throws {
  for _ in 0..<200_000 {
    if condition() { return }
    try await sleep(for: .microseconds(50))
  }
  Issue.record("the condition never held", sourceLocation: sourceLocation)
}

struct Broken: Error, Equatable {}
