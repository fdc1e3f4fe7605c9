import AsyncIO
import SystemPackage
import Testing

/// The kinds of loop that every behaviour is tested on.
enum LoopKind: String, CaseIterable, Codable, Sendable, CustomTestStringConvertible {
  case epoll, poll

  #if !os(Linux)
    static var allCases: [LoopKind] { [.poll] }
  #endif

  var testDescription: String { rawValue }

  func makeSelector() throws -> any IOSelector {
    switch self {
    #if os(Linux)
      case .epoll: try EpollSelector()
    #else
      case .epoll: throw Errno.notSupported
    #endif
    case .poll: try PollSelector()
    }
  }

  func makeLoop() throws -> SelectorEventLoop { SelectorEventLoop(selector: try makeSelector()) }

  /// Makes a loop for the body, on a thread of its own that runs no task, and closes it afterwards: the place for
  /// tests of the callback style, which block.
  func withLoop<R: Sendable>(_ body: @escaping @Sendable (SelectorEventLoop) throws -> R) async throws -> R {
    try await inThread {
      let loop = try makeLoop()
      defer { try? loop.close() }
      return try body(loop)
    }
  }

  /// Makes a loop, runs the body as a task on it, and closes it.
  func run<R: Sendable>(_ body: @escaping @Sendable (SelectorEventLoop) async throws -> R) async throws -> R {
    let loop = try makeLoop()
    defer { try? loop.close() }
    return try await loop.run { try await body(loop) }
  }
}
