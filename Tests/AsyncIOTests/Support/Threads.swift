import CAsyncIO

@testable import AsyncIO

/// Start a thread of the operating system: a context without a running loop, which is never the main thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
  do { try Thread.detach(name: "test", body) } catch { fatalError("no thread for a test: \(error)") }
}

/// Run the body in a new thread and give back what it returned or threw.
func inThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    startThread { continuation.resume(with: Result { try body() }) }
  }
}

/// Opens once. For threads that block; a task awaits instead.
typealias Gate = ThreadGate

/// A thread that other threads can wait for.
final class TestThread: Sendable {
  private let ended = Gate()

  init(_ body: @escaping @Sendable () -> Void) {
    startThread { [ended] in
      body()
      ended.open()
    }
  }

  func join() { ended.wait() }
}

/// An object to capture; a weak reference to it shows when it is gone.
final class Canary: Sendable {}

/// Tell threads apart while they live.
func threadNumber() -> Int64 { casyncio_thread_number() }

/// Let other threads run; for loops that wait for an atomic.
func yieldProcessor() { sched_yield() }
