import CAsyncIO
import POSIX
import Testing

@testable import AsyncIO

/// A cancel that waits for a callback which runs in another thread.
@Suite(.timeLimit(.minutes(5)))
struct HandleWaitTests {
  private struct Failure: Error {}

  private final class Handles: Sendable {
    private let handles = Lock<[Handle]>([])
    var all: [Handle] { handles.withLock { $0 } }
    func set(_ all: [Handle]) { handles.withLock { $0 = all } }
  }

  /// Processor time of the calling thread.
  private static var processorTime: Duration { .nanoseconds(casyncio_processor_nanoseconds()) }

  @Test("The wait sleeps, and ends with the callback", arguments: LoopKind.allCases)
  func sleeps(kind: LoopKind) async throws {
    try await inThread {
      let (began, ended) = (Gate(), Recorder<String>())
      let loop = try kind.makeLoop()
      let handle = try loop.callSoonThreadsafe {
        began.open()
        usleep(300_000)
        ended.record("callback")
      }
      let cost = Recorder<Duration>()
      let thread = TestThread {
        began.wait()
        let before = Self.processorTime
        handle.cancel()
        cost.record(Self.processorTime - before)
        ended.record("cancel")
        loop.stop()
      }
      try loop.runForever()
      thread.join()
      try loop.close()
      #expect(ended.all == ["callback", "cancel"])
      #expect(cost.all[0] < .milliseconds(100), "a wait that spins takes all of the 300 ms")
    }
  }

  @Test(
    "Many threads that wait for one callback all go on; a cancel after it returns at once", arguments: LoopKind.allCases
  )
  func many(kind: LoopKind) async throws {
    try await inThread {
      for _ in 0..<50 {
        let began = Gate()
        let loop = try kind.makeLoop()
        let handle = try loop.callSoonThreadsafe {
          began.open()
          yieldProcessor()
          throw Failure()
        }
        loop.exceptionHandler = { _, _ in }
        let threads = (0..<4).map { _ in
          TestThread {
            began.wait()
            handle.cancel()
          }
        }
        try loop.callSoon { loop.stop() }
        try loop.runForever()
        for thread in threads { thread.join() }
        handle.cancel()
        #expect(!handle.isCancelled)
        try loop.close()
      }
    }
  }

  /// The callbacks of some loops, each of which cancels the one of the next when all of them run.
  private func cancelInACircle(_ kind: LoopKind, of count: Int) async throws {
    try await inThread {
      let loops = try (0..<count).map { _ in try kind.makeLoop() }
      let handles = Handles()
      let (running, gate, ends) = (Recorder<Int>(), Gate(), Recorder<Int>())
      let made = try loops.indices.map { index in
        try loops[index].callSoonThreadsafe {
          running.record(index)
          if running.all.count == count { gate.open() }
          gate.wait()
          handles.all[(index + 1) % count].cancel()
          ends.record(index)
          loops[index].stop()
        }
      }
      handles.set(made)
      let threads = loops.map { loop in TestThread { try? loop.runForever() } }
      for thread in threads { thread.join() }
      for loop in loops { try loop.close() }
      #expect(ends.all.sorted() == Array(loops.indices))
      #expect(made.allSatisfy { !$0.isCancelled }, "all of them ran")
    }
  }

  @Test("Two loops that cancel each other's running callbacks go on", arguments: LoopKind.allCases)
  func two(kind: LoopKind) async throws { for _ in 0..<20 { try await cancelInACircle(kind, of: 2) } }

  @Test("So do five in a circle", arguments: LoopKind.allCases)
  func circle(kind: LoopKind) async throws { for _ in 0..<10 { try await cancelInACircle(kind, of: 5) } }

  @Test(
    "In a row only the callbacks behind wait, and each until the one before it has ended", arguments: LoopKind.allCases)
  func row(kind: LoopKind) async throws {
    try await inThread {
      let loops = try (0..<4).map { _ in try kind.makeLoop() }
      let handles = Handles()
      let (running, gate, ends) = (Recorder<Int>(), Gate(), Recorder<Int>())
      let made = try loops.indices.map { index in
        try loops[index].callSoonThreadsafe {
          running.record(index)
          if running.all.count == loops.count { gate.open() }
          gate.wait()
          if index > 0 { handles.all[index - 1].cancel() } else { usleep(20_000) }
          ends.record(index)
          loops[index].stop()
        }
      }
      handles.set(made)
      let threads = loops.map { loop in TestThread { try? loop.runForever() } }
      for thread in threads { thread.join() }
      for loop in loops { try loop.close() }
      #expect(ends.all == Array(loops.indices))
    }
  }

  @Test(
    "A wait whose callback has ended leads to no circle, though its thread has not gone on",
    arguments: LoopKind.allCases)
  func stale(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let loops = [Canary(), Canary(), Canary()]
      let names = loops.map { ObjectIdentifier($0) }
      let (waits, handles, seen) = (RunningCallbacks.Waits(), Handles(), Recorder<[Bool]>())
      @Sendable func look() {
        seen.record([
          waits.leads(from: names[0], to: names[1]), waits.leads(from: names[0], to: names[2]),
          waits.leads(from: names[1], to: names[0]),
        ])
      }
      handles.set([
        try loop.callSoonThreadsafe {
          // The first loop's thread waits for this callback of the second.
          waits.entries[names[0]] = .init(handle: .passUnretained(handles.all[0]), loop: names[1])
          look()
          #expect("\(handles.all[0])".contains("(running)"), "one that is waited for runs")
          loop.stop()
        }
      ])
      try loop.runForever()
      // Nobody has taken the entry away yet.
      look()
      #expect(seen.all == [[true, false, false], [false, false, false]])
      withExtendedLifetime(loops) {}
    }
  }
}
