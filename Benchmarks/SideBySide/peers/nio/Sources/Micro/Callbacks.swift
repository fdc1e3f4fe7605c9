// Dispatch and wakes.

import MicroSupport
import NIOCore

/// Counts down on the loop and tells who waits elsewhere. State is for the loop's thread alone, which is what makes the
/// unchecked conformance right.
class Countdown: @unchecked Sendable {
  let loop: any EventLoop
  var left = 0
  private var done: EventLoopPromise<Void>

  init(_ loop: any EventLoop) {
    self.loop = loop
    done = loop.makePromise()
    done.succeed(())
  }

  /// Run the body on the loop and wait until the count is down, or somebody says that it is.
  func run(_ count: Int, _ body: @escaping @Sendable () -> Void) async throws {
    let done = loop.makePromise(of: Void.self)
    loop.execute {
      self.left = count
      self.done = done
      body()
    }
    try await done.futureResult.get()
  }

  func finish() { done.succeed(()) }

  func step() {
    left -= 1
    if left == 0 { finish() }
  }
}

/// For the loop's thread alone.
final class Dispatch: Countdown, @unchecked Sendable {
  private static let size = 1000
  private var calls = 0

  func chain(_ count: Int) async throws { try await run(count) { self.link() } }

  private func link() {
    left -= 1
    guard left > 0 else { return finish() }
    loop.execute { self.link() }
  }

  func batch(_ count: Int) async throws { try await run(count) { self.fill() } }

  private func fill() {
    guard left > 0 else { return finish() }
    left -= Self.size
    for _ in 0..<Self.size { loop.execute { self.calls += 1 } }
    loop.execute { self.fill() }
  }
}

/// For the loop's thread alone, but for the producers' threads.
final class Wakes: Countdown, @unchecked Sendable {
  func pingpong(_ count: Int, core: Int32) async throws {
    let bell = Bell()
    try await run(count) {
      Core.pin(to: Core.loop)
      self.produce(1, on: core) {
        for _ in 0..<count {
          self.loop.execute {
            bell.ring()
            self.step()
          }
          bell.wait()
        }
      }
    }
  }

  func burst(_ count: Int, producers: Int) async throws {
    let share = count / producers
    try await run(share * producers) {
      Core.pin(to: Core.loop)
      self.produce(producers, on: Core.other) {
        for _ in 0..<share { self.loop.execute { self.step() } }
      }
    }
  }

  /// The threads end by themselves when all of their posts have run.
  private func produce(_ producers: Int, on core: Int32, _ body: @escaping @Sendable () -> Void) {
    var threads = Threads()
    for _ in 0..<producers { threads.start(on: core, body) }
  }
}
