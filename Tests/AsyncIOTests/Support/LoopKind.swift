import AsyncIO
import SystemPackage
import Testing

/// The kinds of loop that every behaviour is tested on: those that this machine can run.
enum LoopKind: String, Codable, Sendable, CaseIterable, CustomTestStringConvertible {
  case epoll, poll, proactor

  static let allCases: [LoopKind] = selectors + (hasProactor ? [.proactor] : [])

  /// Those over readiness.
  static let selectors: [LoopKind] = {
    #if os(Linux)
      [.epoll, .poll]
    #else
      [.poll]
    #endif
  }()

  /// False where io_uring is denied; ``ProactorDetectionTests`` then says which step said no.
  static let hasProactor = ProactorDetection.current.isAvailable

  var testDescription: String { rawValue }

  /// What `ASYNCIO_EVENT_LOOP` calls it.
  var nameOfKind: String { self == .epoll ? "selector" : rawValue }

  func makeSelector() throws -> any IOSelector {
    switch self {
    #if os(Linux)
      case .epoll: try Selectors.epoll()
    #else
      case .epoll: throw Errno.notSupported
    #endif
    case .poll: try Selectors.poll()
    case .proactor: throw Errno.notSupported
    }
  }

  func makeLoop() throws -> BaseEventLoop {
    if self == .proactor { return try ProactorEventLoop() }
    return SelectorEventLoop(selector: try makeSelector())
  }

  /// Make a loop for the body, on a thread of its own that runs no task, and close it afterwards: the place for
  /// tests of the callback style, which block.
  func withLoop<R: Sendable>(_ body: @escaping @Sendable (BaseEventLoop) throws -> R) async throws -> R {
    try await inThread {
      let loop = try makeLoop()
      defer { try? loop.close() }
      return try body(loop)
    }
  }

  /// Make a loop, run the body as a task on it, and close it.
  func run<R: Sendable>(_ body: @escaping @Sendable (BaseEventLoop) async throws -> R) async throws -> R {
    let loop = try makeLoop()
    defer { try? loop.close() }
    return try await loop.run { try await body(loop) }
  }
}
