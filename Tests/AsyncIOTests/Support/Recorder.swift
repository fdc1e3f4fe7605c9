@testable import AsyncIO

/// Collects what happened, in order, from any thread.
final class Recorder<Element: Sendable>: Sendable {
  private let elements = Lock<[Element]>([])

  func record(_ element: Element) { elements.withLock { $0.append(element) } }
  var all: [Element] { elements.withLock { $0 } }
}

/// A policy that writes down what it is asked for.
final class RecordingPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  let calls = Recorder<String>()

  override func getEventLoop() throws -> any EventLoop {
    calls.record("get")
    return try super.getEventLoop()
  }

  override func setEventLoop(_ loop: (any EventLoop)?) {
    calls.record(loop == nil ? "set(nil)" : "set(loop)")
    super.setEventLoop(loop)
  }

  override func newEventLoop() throws -> any EventLoop {
    calls.record("new")
    return try super.newEventLoop()
  }
}

/// A policy that gives nothing: code that gets a loop got it elsewhere.
final class RefusingPolicy: EventLoopPolicy {
  struct Refusal: Error, Equatable {}

  func getEventLoop() throws -> any EventLoop { throw Refusal() }
  func setEventLoop(_ loop: (any EventLoop)?) {}
  func newEventLoop() throws -> any EventLoop { throw Refusal() }
}

/// Make a loop for the body, and close it.
func withLoop<Result>(_ body: (SelectorEventLoop) async throws -> Result) async throws -> Result {
  let loop = try SelectorEventLoop()
  let result: Result
  do { result = try await body(loop) } catch {
    try? loop.close()
    throw error
  }
  try loop.close()
  return result
}
