#if os(Linux)
  import CAsyncIO
  import POSIX
  import Testing

  @testable import AsyncIO

  /// True if the process is gone and its status was taken.
  func isReaped(_ process: Int32) -> Bool {
    var info = siginfo_t()
    return waitid(P_PID, id_t(process), &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD
  }

  /// How the end of a child is noticed.
  enum Watching: String, CaseIterable, Codable, Sendable, CustomTestStringConvertible {
    case descriptor, thread
    var testDescription: String { rawValue }

    func callAsFunction<R>(_ body: () async throws -> R) async throws -> R {
      try await ChildWatching.$isByThread.withValue(self == .thread) { try await body() }
    }
  }
#endif
