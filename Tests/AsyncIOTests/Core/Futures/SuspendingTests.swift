import Testing

@testable import AsyncIO

/// `suspendCancellably`, on which all waits stand that a cancellation ends.
@Suite struct SuspendingTests {
  /// Where a wait keeps its continuation, and how often it was asked to end.
  private final class Place: Sendable {
    private let state = Lock((waiter: UnsafeContinuation<Bool, Never>?.none, asked: 0))

    var asked: Int { state.withLock { $0.asked } }

    func enter(_ continuation: UnsafeContinuation<Bool, Never>) { state.withLock { $0.waiter = continuation } }

    func end(_ outcome: Bool) {
      let waiter = state.withLock { state in
        if !outcome { state.asked += 1 }
        defer { state.waiter = nil }
        return state.waiter
      }
      waiter?.resume(returning: outcome)
    }

    /// Wait; a wait that nothing ends is ended by the test, with the other outcome.
    func wait(_ entered: @escaping @Sendable () -> Void = {}) async -> Bool {
      let rescue = Task {
        try await Task.sleep(for: .seconds(20))
        end(true)
      }
      defer { rescue.cancel() }
      return await suspendCancellably {
        enter($0)
        entered()
      } onCancel: {
        end(false)
      }
    }
  }

  @Test("A cancellation that came before the registration ends the wait")
  func before() async {
    let place = Place()
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return await place.wait()
    }
    #expect(await task.value == false)
    #expect(place.asked == 2, "by the handler, which found nothing, and after the registration")
  }

  @Test("A cancellation that comes while the task waits asks once")
  func during() async {
    let place = Place()
    let entered = Gate()
    let task = Task { await place.wait { entered.open() } }
    entered.wait()
    task.cancel()
    #expect(await task.value == false)
    #expect((1...2).contains(place.asked), "twice if it came between the registration and the check after it")
  }

  @Test("The closure that registers runs where its caller runs", arguments: LoopKind.allCases)
  func isolation(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pinned = Pinned(loop)
      #expect(await Task { await pinned.registersInLoopThread() }.value)
    }
  }

  /// An actor of the loop. The tasks that call it have no preference.
  private actor Pinned {
    private let loop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

    init(_ loop: any EventLoop) { self.loop = loop }

    func registersInLoopThread() async -> Bool {
      await suspendCancellably { (continuation: UnsafeContinuation<Bool, Never>) in
        continuation.resume(returning: LoopIntake.running?.core === loop)
      } onCancel: {
      }
    }
  }
}
