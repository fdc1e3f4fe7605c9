import Testing

@testable import AsyncIO

/// `gather`, `wait`, `asCompleted` and `shield`.
@Suite(.timeLimit(.minutes(5)))
struct CombinatorTests {
  private struct Failure: Error, Equatable { var number = 0 }

  @Test("gather gives the values in the order of the arguments, of several types", arguments: LoopKind.allCases)
  func values(kind: LoopKind) async throws {
    try await kind.run { loop in
      let late = loop.createFuture(of: Int.self)
      let text = try loop.createTask { "text" }
      let last = try loop.createTask { try late.setResult(1) }
      let (number, string, _) = try await gather(late, text, last)
      #expect(number == 1 && string == "text")
      let squares = try (0..<100).map { n in try loop.createTask { n * n } }
      #expect(try await gather(squares) == (0..<100).map { $0 * $0 })
      #expect(try await gather([Future<Int>]()).isEmpty)
      #expect(try await gather([late, late]) == [1, 1])
    }
  }

  @Test("166: the first error is thrown at once, the others go on", arguments: LoopKind.allCases)
  func error(kind: LoopKind) async throws {
    try await kind.run { loop in
      let release = loop.createFuture(of: Void.self)
      let slow = try loop.createTask {
        try await release.get()
        return 5
      }
      let failing = try loop.createTask { () -> Int in throw Failure() }
      await #expect(throws: Failure()) { try await gather(slow, failing) }
      #expect(!slow.isDone && slow.cancelling == 0)
      try release.setResult(())
      #expect(try await slow.get() == 5)
    }
  }

  @Test("An error that comes after the first one is reported unless somebody looks", arguments: LoopKind.allCases)
  func secondError(kind: LoopKind) async throws {
    let reports = Recorder<ExceptionContext>()
    try await kind.run { loop in
      loop.exceptionHandler = { _, context in reports.record(context) }
      do {
        let release = loop.createFuture(of: Void.self)
        let second = try loop.createTask(name: "second") {
          try await release.get()
          throw Failure(number: 2)
        }
        let first = try loop.createTask { throw Failure(number: 1) }
        await #expect(throws: Failure(number: 1)) { try await gather(second, first) }
        try release.setResult(())
      }
      while reports.all.isEmpty { try await sleep(for: .zero) }
    }
    #expect(reports.all.map(\.task) == ["second"])
  }

  @Test("166: cancelling the waiting task cancels all, and waits for their ends", arguments: LoopKind.allCases)
  func cancel(kind: LoopKind) async throws {
    try await kind.run { loop in
      let notes = Recorder<String>()
      let tasks = try ["a", "b"].map { name in
        try loop.createTask {
          do { try await sleep(for: .seconds(3600)) } catch {
            for _ in 0..<3 { await Task.yield() }
            notes.record("\(name) cleaned up")
            if name == "b" { return }
            throw error
          }
        }
      }
      let waiting = try loop.createTask { try await gather(tasks) }
      try await sleep(for: .zero)
      waiting.cancel()
      await #expect(throws: CancellationError.self) { try await waiting.get() }
      #expect(notes.all.sorted() == ["a cleaned up", "b cleaned up"])
      #expect(tasks.map(\.isCancelled) == [true, false])
      #expect(waiting.isCancelled)
    }
  }

  @Test("A future that somebody cancels leaves the others and the waiting task alone", arguments: LoopKind.allCases)
  func cancelledChild(kind: LoopKind) async throws {
    try await kind.run { loop in
      let futures = (0..<2).map { _ in loop.createFuture(of: Int.self) }
      let waiting = try loop.createTask { () -> Bool in
        await #expect(throws: CancellationError.self) { try await gather(futures) }
        return Task.isCancelled
      }
      try await sleep(for: .zero)
      futures[0].cancel()
      #expect(try await waiting.get() == false)
      #expect(!futures[1].isDone)
    }
  }

  @Test("gatherResults collects values and errors", arguments: LoopKind.allCases)
  func results(kind: LoopKind) async throws {
    try await kind.run { loop in
      let tasks = try (0..<4).map { n in
        try loop.createTask { () -> Int in
          if n.isMultiple(of: 2) { throw Failure(number: n) }
          return n
        }
      }
      let texts = try await gatherResults(tasks).map { result -> String in
        switch result {
        case .success(let value): "\(value)"
        case .failure(let error): "error \((error as? Failure)?.number ?? -1)"
        }
      }
      #expect(texts == ["error 0", "1", "error 2", "3"])
    }
  }

  @Test("Futures of another loop, also of a closed one, can be gathered")
  func otherLoop() async throws {
    try await withLoop { loop in
      let other = try SelectorEventLoop()
      let future = other.createFuture(of: Int.self)
      try other.close()
      let value = try await loop.run {
        try loop.callSoon { try future.setResult(4) }
        return try await gather([future])
      }
      #expect(value == [4])
    }
  }

  @Test("wait ends by its condition, and neither throws nor cancels", arguments: LoopKind.allCases)
  func conditions(kind: LoopKind) async throws {
    try await kind.run { loop in
      let futures = (0..<3).map { _ in loop.createFuture(of: Int.self) }
      func numbers(_ part: [Future<Int>]) -> [Int] {
        futures.indices.filter { i in part.contains { $0 === futures[i] } }
      }
      try loop.callSoon { try futures[1].setResult(1) }
      var (done, pending) = try await wait(for: futures + [futures[0]], returnWhen: .firstCompleted)
      #expect(numbers(done) == [1] && numbers(pending) == [0, 2] && pending.count == 2)

      try loop.callSoon { try futures[2].setException(Failure()) }
      (done, pending) = try await wait(for: futures, returnWhen: .firstException)
      #expect(numbers(done) == [1, 2] && numbers(pending) == [0])
      #expect(throws: Failure()) { try futures[2].result() }

      (done, pending) = try await wait(for: futures, timeout: .microseconds(10))
      #expect(done.count == 2 && numbers(pending) == [0])
      #expect(!futures[0].isDone)
      #expect(loop.scheduledTimerCount == 0)

      futures[0].cancel()
      (done, pending) = try await wait(for: futures, timeout: .seconds(3600))
      #expect(done.count == 3 && pending.isEmpty)
      #expect(loop.scheduledTimerCount == 0)
      let error = await #expect(throws: EventLoopError.self) { try await wait(for: [Future<Int>]()) }
      #expect(error?.code == .invalidArgument)
    }
  }

  @Test("A cancelled wait ends at once and leaves the futures alone", arguments: LoopKind.allCases)
  func cancelledWait(kind: LoopKind) async throws {
    try await kind.run { loop in
      let future = loop.createFuture(of: Int.self)
      let waiting = try loop.createTask { _ = try await wait(for: [future], timeout: .seconds(3600)) }
      let shielded = try loop.createTask { try await shield(future) }
      try await sleep(for: .zero)
      for task in [waiting as any AnyLoopTask, shielded] { task.cancel() }
      await #expect(throws: CancellationError.self) { try await waiting.get() }
      await #expect(throws: CancellationError.self) { _ = try await shielded.get() }
      #expect(!future.isDone)
      #expect(loop.scheduledTimerCount == 0)
      #expect(future.awaiters.isEmpty)
    }
  }

  @Test("asCompleted gives the futures in the order of their ends", arguments: LoopKind.allCases)
  func completionOrder(kind: LoopKind) async throws {
    try await kind.run { loop in
      let futures = (0..<5).map { _ in loop.createFuture(of: Int.self) }
      for n in [2, 4] { try futures[n].setResult(n) }
      var order: [Int] = []
      let rest = [3, 0, 1]
      for try await future in try asCompleted(futures + futures) {
        order.append(try future.result())
        if order.count >= 2, order.count < 5 {
          let next = rest[order.count - 2]
          try loop.callSoon { try futures[next].setResult(next) }
        }
      }
      #expect(order == [2, 4, 3, 0, 1])
    }
  }

  @Test("asCompleted has one limit for the whole, and can be cancelled", arguments: LoopKind.allCases)
  func completionLimit(kind: LoopKind) async throws {
    try await kind.run { loop in
      let futures = (0..<2).map { _ in loop.createFuture(of: Int.self) }
      try futures[1].setResult(1)
      var seen = 0
      do {
        for try await _ in try asCompleted(futures, timeout: .milliseconds(2)) { seen += 1 }
        Issue.record("expected a TimeoutError")
      } catch { #expect(error as? TimeoutError == TimeoutError(limit: .milliseconds(2))) }
      #expect(seen == 1 && !futures[0].isDone && loop.scheduledTimerCount == 0)
      let iterating = try loop.createTask { for try await _ in try asCompleted([futures[0]]) {} }
      try await sleep(for: .zero)
      iterating.cancel()
      await #expect(throws: CancellationError.self) { try await iterating.get() }
      #expect(!futures[0].isDone)
    }
  }

  @Test("169: a shielded task goes on when the outer one is cancelled", arguments: LoopKind.allCases)
  func shielded(kind: LoopKind) async throws {
    let reports = Recorder<ExceptionContext>()
    try await kind.run { loop in
      loop.exceptionHandler = { _, context in reports.record(context) }
      let release = loop.createFuture(of: Void.self)
      let notes = Recorder<String>()
      let outer = try loop.createTask {
        try await shield {
          try await release.get()
          notes.record("went on")
          throw Failure()
        }
      }
      while release.awaiters.isEmpty { try await sleep(for: .zero) }
      outer.cancel()
      await #expect(throws: CancellationError.self) { try await outer.get() }
      #expect(notes.all.isEmpty && reports.all.isEmpty)
      try release.setResult(())
      while reports.all.isEmpty { try await sleep(for: .zero) }
      #expect(notes.all == ["went on"])
      let value = try await shield { 6 }
      #expect(value == 6)
      await #expect(throws: Failure()) { try await shield { throw Failure() } }
    }
    #expect(reports.all.count == 1 && reports.all.first?.exception is Failure)
  }
}
