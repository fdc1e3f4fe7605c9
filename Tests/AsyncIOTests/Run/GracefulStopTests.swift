import CAsyncIO
import POSIX
import Testing

@testable import AsyncIO

/// Scopes that stop gracefully: what is let end, what is cancelled, and how signals get there.
@Suite(.timeLimit(.minutes(5)))
struct GracefulStopTests {
  private struct Broken: Error, Equatable {}

  @Test("A body that ends by itself ends the scope, without a request", arguments: LoopKind.allCases)
  func ends(kind: LoopKind) async throws {
    try await kind.run { loop in
      let report = try await withGracefulStop(on: [], drain: .seconds(3600)) { stop in
        #expect(!stop.isRequested && "\(stop)" == "GracefulStop (not requested)")
        try await sleep(for: .zero)
      }
      #expect(!report.wasRequested && report.duration == .zero && "\(report)" == "ended without a request to stop")
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("A request wakes those that wait for it, and its tasks end in time", arguments: LoopKind.allCases)
  func request(kind: LoopKind) async throws {
    try await kind.run { loop in
      let events = Recorder<String>()
      let report = try await withGracefulStop(on: [], drain: .seconds(3600)) { stop in
        try stop.createTask(name: "worker") {
          try await stop.requested()
          try await sleep(for: .milliseconds(1))
          events.record("worker")
        }
        try stop.createTask {
          // The tasks of a task belong to the scope as well.
          try await stop.requested()
          try stop.createTask { events.record("late") }
        }
        try loop.callSoon { stop.request() }
        try await stop.requested()
        try await stop.requested()
        events.record("body")
      }
      #expect(events.all.sorted() == ["body", "late", "worker"])
      #expect(report.wasRequested && report.unfinished.isEmpty && !report.wasForced, "\(report)")
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("Without a request the scope waits for its tasks", arguments: LoopKind.allCases)
  func waitsForTasks(kind: LoopKind) async throws {
    try await kind.run { loop in
      let done = Flag()
      try await withGracefulStop(on: [], drain: nil) { stop in
        try stop.createTask {
          for _ in 0..<5 { try await sleep(for: .zero) }
          done.set()
        }
      }
      #expect(done.isSet)
    }
  }

  @Test("After the limit tasks and body are cancelled, awaited and named", arguments: LoopKind.allCases)
  func limit(kind: LoopKind) async throws {
    try await kind.run { loop in
      let events = Recorder<String>()
      let report = try await withGracefulStop(on: [], drain: .milliseconds(5)) { stop in
        try stop.createTask(name: "slow worker") {
          do { try await sleep(for: .seconds(3600)) } catch {
            await Task.yield()
            events.record("worker")
            throw error
          }
        }
        stop.request()
        do { try await sleep(for: .seconds(3600)) } catch {
          events.record("body")
          throw error
        }
      }
      #expect(events.all.sorted() == ["body", "worker"])
      #expect(report.unfinished.map(\.name) == ["slow worker", "the body"], "\(report)")
      #expect(report.unfinished.allSatisfy { $0.peer == nil && $0.duration >= .milliseconds(5) })
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("A body that only waits for its servers is not named, its clients are", arguments: LoopKind.allCases)
  func servers(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      let report = try await withGracefulStop(on: [], drain: .zero) { stop in
        try await listener.serve(until: stop) { connection in
          stop.request()
          _ = try await connection.read(upTo: 1)
        }
      }
      #expect(report.unfinished.map(\.peer) == [client.localAddress], "\(report)")
      client.close()
    }
  }

  @Test("cancelNow needs no request and no time", arguments: LoopKind.allCases)
  func now(kind: LoopKind) async throws {
    try await kind.run { _ in
      let report = try await withGracefulStop(on: [], drain: nil) { stop in
        stop.cancelNow()
        #expect(stop.isRequested && "\(stop)" == "GracefulStop (cancelling)")
        try await sleep(for: .seconds(3600))
      }
      #expect(report.wasForced && report.unfinished.map(\.name) == ["the body"])
    }
  }

  @Test("A value in spite of the cancellation is fine, and errors are thrown", arguments: LoopKind.allCases)
  func outcomes(kind: LoopKind) async throws {
    try await kind.run { _ in
      try await withGracefulStop(on: [], drain: .zero) { stop in
        stop.request()
        try? await sleep(for: .seconds(3600))
      }
      await #expect(throws: Broken.self) {
        try await withGracefulStop(on: [], drain: .zero) { stop in
          stop.request()
          try? await sleep(for: .seconds(3600))
          throw Broken()
        }
      }
      // Cancelled by itself, not by the stop.
      await #expect(throws: CancellationError.self) {
        try await withGracefulStop(on: [], drain: nil) { _ in throw CancellationError() }
      }
    }
  }

  @Test("An error of the body cancels and awaits the tasks", arguments: LoopKind.allCases)
  func failure(kind: LoopKind) async throws {
    try await kind.run { _ in
      let ended = Flag()
      await #expect(throws: Broken.self) {
        try await withGracefulStop(on: [], drain: nil) { stop in
          try stop.createTask {
            defer { ended.set() }
            try await sleep(for: .seconds(3600))
          }
          try await sleep(for: .zero)
          throw Broken()
        }
      }
      #expect(ended.isSet)
    }
  }

  @Test("A cancelled caller cancels body and tasks, and throws", arguments: LoopKind.allCases, [true, false])
  func cancelled(kind: LoopKind, bodyEnds: Bool) async throws {
    try await kind.run { _ in
      let (running, ended) = (Flag(), Flag())
      let task = try loopTask {
        try await withGracefulStop(on: [], drain: nil) { stop in
          try stop.createTask {
            defer { ended.set() }
            running.set()
            try await sleep(for: .seconds(3600))
          }
          if !bodyEnds { try await sleep(for: .seconds(3600)) }
        }
      }
      try await turnUntil { running.isSet }
      task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await task.value }
      #expect(ended.isSet)
    }
  }

  @Test("unlessRequested ends with the request, the value, or the error", arguments: LoopKind.allCases)
  func unlessRequested(kind: LoopKind) async throws {
    try await kind.run { loop in
      try await withGracefulStop(on: [], drain: .seconds(3600)) { stop in
        #expect(try await stop.unlessRequested { 5 } == 5)
        await #expect(throws: Broken.self) { try await stop.unlessRequested { throw Broken() } }
        try loop.callSoon { stop.request() }
        #expect(try await stop.unlessRequested { try await sleep(for: .seconds(3600)) } == nil)
        #expect(try await stop.unlessRequested { 5 } == nil)
      }
      try await withGracefulStop(on: [], drain: .seconds(3600)) { stop in
        try loop.callSoon { stop.request() }
        // What the body has got is not thrown away.
        let value = try await stop.unlessRequested {
          try? await sleep(for: .seconds(3600))
          return 6
        }
        #expect(value == 6)
      }
      let inner = Flag()
      let task = try loopTask {
        try await withGracefulStop(on: [], drain: .seconds(3600)) { stop in
          _ = try await stop.unlessRequested {
            inner.set()
            try await sleep(for: .seconds(3600))
          }
          Issue.record("a cancellation from outside was taken for a request")
        }
      }
      try await turnUntil { inner.isSet }
      task.cancel()
      await #expect(throws: CancellationError.self) { _ = try await task.value }
    }
  }

  @Test("A request from another thread, and calls after the end", arguments: LoopKind.allCases)
  func elsewhere(kind: LoopKind) async throws {
    try await kind.run { loop in
      let kept = Recorder<GracefulStop>()
      try await withGracefulStop(on: [], drain: .seconds(3600)) { stop in
        kept.record(stop)
        startThread {
          do {
            try stop.createTask {}
            Issue.record("a task was made in another thread")
          } catch {
            #expect((error as? EventLoopError)?.code == .wrongThread)
          }
          stop.request()
        }
        try await stop.requested()
      }
      let stop = kept.all[0]
      let error = #expect(throws: EventLoopError.self) { try stop.createTask {} }
      #expect(error?.code == .invalidState)
      stop.request()
      stop.cancelNow()
      try await sleep(for: .zero)
      #expect(loop.scheduledTimerCount == 0)
    }
  }

  @Test("Signals that are wrong are refused; nothing stays behind", arguments: LoopKind.allCases)
  func refusals(kind: LoopKind) async throws {
    try await kind.run { _ in
      let error = await #expect(throws: EventLoopError.self) {
        try await withGracefulStop(on: [SIGUSR2, SIGKILL], drain: nil) { _ in Issue.record("the body ran") }
      }
      #expect(error?.code == .invalidArgument)
    }
    let error = await #expect(throws: EventLoopError.self) { try await withGracefulStop(drain: nil) { _ in } }
    #expect(error?.code == .noRunningLoop)
  }

  @Test("The first signal requests, the second one cancels, and nothing leaks", arguments: LoopKind.allCases)
  func signals(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      // The thread of the signals stays.
      try await kind.run { try $0.addSignalHandler(SIGUSR2) {} }
      try await expectNoLeaks {
        try await kind.run { loop in
          let report = try await withGracefulStop(drain: .seconds(3600)) { stop in
            kill(getpid(), SIGTERM)
            try await stop.requested()
            kill(getpid(), SIGINT)
            try await sleep(for: .seconds(3600))
          }
          #expect(report.signal == SIGTERM && report.wasForced && report.unfinished.map(\.name) == ["the body"])
        }
      }
    }
  }

  @Test("A third SIGTERM ends a program that ignores its cancellation", arguments: LoopKind.allCases)
  func third(kind: LoopKind) async {
    await #expect(processExitsWith: .signal(SIGTERM)) { [kind] in
      signal(SIGTERM, SIG_DFL)
      try await kind.run { _ in
        _ = try await withGracefulStop(drain: .seconds(3600)) { stop in
          kill(getpid(), SIGTERM)
          try await stop.requested()
          kill(getpid(), SIGTERM)
          try? await sleep(for: .seconds(3600))
          kill(getpid(), SIGTERM)
          await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
        }
      }
    }
  }
}
