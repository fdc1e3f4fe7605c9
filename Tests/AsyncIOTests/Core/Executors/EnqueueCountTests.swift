import Testing

@testable import AsyncIO

/// How many times an await goes through the loop's queue. A loop has two identities to make it zero; the other numbers
/// are those of the runtime (6.3.1), and a change of either is worth knowing.
///
/// These are the numbers of a loop that does not have the whole process. With the whole process default actors cost
/// nothing either.
@Suite struct EnqueueCountTests {
  /// Entries that went into the queue while the body ran.
  private func enqueues(on loop: BaseEventLoop, _ body: () async throws -> Void) async rethrows -> Int {
    let before = loop.enqueueCount
    try await body()
    return loop.enqueueCount - before
  }

  @Test("Nothing: continuations that are resumed before they suspend, handlers, the same preference")
  func nothing() async throws {
    try await LoopKind.allCases[0].run { loop in
      #expect(await enqueues(on: loop) { await withUnsafeContinuation { $0.resume() } } == 0)
      #expect(await enqueues(on: loop) { await withCheckedContinuation { $0.resume() } } == 0)
      #expect(
        await enqueues(on: loop) {
          await withTaskCancellationHandler {
          } onCancel: {
          }
        } == 0)
      #expect(await enqueues(on: loop) { await withTaskExecutorPreference(loop.taskExecutor) {} } == 0)
      #expect(await enqueues(on: loop) { await plain() } == 0)
      #expect(await enqueues(on: loop) { await concurrent() } == 0)
      #expect(
        await enqueues(on: loop) {
          await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in continuation.resume() }
          } onCancel: {
          }
        } == 0)
    }
  }

  @Test("Nothing: a peer actor on the same loop, called from an actor's code")
  func peers() async throws {
    try await LoopKind.allCases[0].run { loop in
      let one = Peer(loop)
      let two = Peer(loop)
      let costs = await one.costs(calling: two)
      #expect(costs == [0, 0, 0, 0])
    }
  }

  @Test("Two: a default actor and an actor of the loop, there and back, from code without isolation")
  func actors() async throws {
    try await LoopKind.allCases[0].run { loop in
      let ordinary = Ordinary()
      let pinned = Peer(loop)
      #expect(await enqueues(on: loop) { await ordinary.touch() } == 2)
      #expect(await enqueues(on: loop) { await pinned.touch() } == 2)
    }
  }

  @Test("One: a resume by a callback, and a sleep")
  func resumes() async throws {
    try await LoopKind.allCases[0].run { loop in
      // The callback itself and the job that it makes.
      let resumed = try await enqueues(on: loop) {
        let future = loop.createFuture(of: Void.self)
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
          _ = try? loop.callSoon { continuation.resume() }
        }
        try future.setResult(())
      }
      #expect(resumed == 2)
      #expect(try await enqueues(on: loop) { try await sleep(for: .zero) } == 1)
      #expect(try await enqueues(on: loop) { try await sleep(for: .microseconds(20)) } == 1)
    }
  }

  @Test("Two: a yield, a child task")
  func tasks() async throws {
    try await LoopKind.allCases[0].run { loop in
      #expect(await enqueues(on: loop) { await Task.yield() } == 2)
      #expect(
        await enqueues(on: loop) {
          async let child: Void = plain()
          await child
        } == 2)
    }
  }
}

private func plain() async {}
@concurrent private func concurrent() async {}

private actor Ordinary {
  func touch() {}
}

private actor Peer {
  private nonisolated let loop: BaseEventLoop
  init(_ loop: BaseEventLoop) { self.loop = loop }
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }
  func touch() {}

  /// What this actor's code pays for: a call of a peer, a continuation, a cancellation handler, a plain function.
  func costs(calling peer: Peer) async -> [Int] {
    var places = [loop.enqueueCount]
    await peer.touch()
    places.append(loop.enqueueCount)
    await withUnsafeContinuation { $0.resume() }
    places.append(loop.enqueueCount)
    await withTaskCancellationHandler {
    } onCancel: {
    }
    places.append(loop.enqueueCount)
    await plain()
    places.append(loop.enqueueCount)
    return zip(places, places.dropFirst()).map { $1 - $0 }
  }
}
