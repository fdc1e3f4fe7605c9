@testable import AsyncIO

/// Starts a thread of the operating system: a context without a running loop, which is never the main thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
  AsyncIO.Thread.detach(name: "test", body)
}

/// Runs the body in a new thread and gives back what it returned or threw.
func inThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    startThread { continuation.resume(with: Result { try body() }) }
  }
}
