import Testing

@testable import AsyncIO

/// Clean-ups that a cancellation does not cut off.
@Suite(.timeLimit(.minutes(5)))
struct CancellationShieldTests {
  @Test(
    "The body runs to its end in a task that is cancelled, or becomes so; afterwards the task is still cancelled",
    arguments: LoopKind.allCases, [false, true])
  func bothTimes(kind: LoopKind, isCancelledBefore: Bool) async throws {
    try await kind.run { loop in
      let (hasBegun, gate) = (Event(), Event())
      let task = try loop.createTask {
        if isCancelledBefore { withUnsafeCurrentTask { $0?.cancel() } }
        let value = try await withCancellationShield(atMost: .seconds(60)) {
          hasBegun.set()
          try await gate.wait()
          try await sleep(for: .zero)
          #expect(!Task.isCancelled)
          return 7
        }
        #expect(value == 7 && Task.isCancelled)
        await #expect(throws: CancellationError.self) { try await sleep(for: .zero) }
        return value
      }
      try await hasBegun.wait()
      if !isCancelledBefore { task.cancel() }
      for _ in 0..<3 { try await sleep(for: .zero) }
      #expect(!task.isDone)
      gate.set()
      #expect(try await task.get() == 7)
    }
  }

  @Test(
    "After the limit the body is cancelled and awaited, whether the caller is cancelled or not",
    arguments: LoopKind.allCases, [false, true])
  func limit(kind: LoopKind, isCancelled: Bool) async throws {
    try await kind.run { loop in
      let hasEnded = Flag()
      let task = try loop.createTask {
        if isCancelled { withUnsafeCurrentTask { $0?.cancel() } }
        try await withCancellationShield(atMost: .milliseconds(5)) {
          defer { hasEnded.set() }
          try await sleep(for: .seconds(3600))
        }
      }
      await #expect(throws: TimeoutError(limit: .milliseconds(5))) { try await task.get() }
      #expect(hasEnded.isSet)
    }
  }

  private struct Own: Error, Equatable {}

  @Test("Errors of the body are its own, and a value after the limit wins", arguments: LoopKind.allCases)
  func outcomes(kind: LoopKind) async throws {
    try await kind.run { _ in
      await #expect(throws: Own()) { try await withCancellationShield(atMost: .seconds(9)) { throw Own() } }
      await #expect(throws: CancellationError.self) {
        try await withCancellationShield(atMost: .seconds(9)) { throw CancellationError() }
      }
      let late = try await withCancellationShield(atMost: .milliseconds(1)) {
        try? await sleep(for: .seconds(3600))
        return 3
      }
      #expect(late == 3)
      var count = 0
      try await withCancellationShield(atMost: .seconds(Int64.max)) { count += 1 }
      #expect(count == 1, "the closure does not escape")
    }
  }

  @Test(
    "A limit that is not positive never starts the body",
    arguments: [Duration.zero, .seconds(-1), .seconds(Int64.min)])
  func notPositive(limit: Duration) async throws {
    try await LoopKind.allCases[0].run { _ in
      _ = await #expect(throws: TimeoutError(limit: limit)) {
        try await withCancellationShield(atMost: limit) { _ = Issue.record("it was started") }
      }
    }
  }

  @Test("When the loop is closed first, the body is cancelled", arguments: LoopKind.allCases)
  func closed(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let (hasBegun, ended) = (Flag(), Recorder<EventLoopError.Code?>())
    let task = try loop.createTask {
      do {
        try await withCancellationShield(atMost: .seconds(3600)) {
          hasBegun.set()
          try await Event().wait()
        }
      } catch {
        ended.record((error as? EventLoopError)?.code)
      }
    }
    try await loop.run { try await turnUntil { hasBegun.isSet } }
    try loop.close()
    _ = try? await task.get()
    #expect(ended.all == [.closed])
  }

  @Test(
    "A handler of serve that is cancelled says goodbye on its own connection", arguments: LoopKind.allCases,
    [false, true])
  func served(kind: LoopKind, isCancelledMeanwhile: Bool) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let (port, isInShield) = (listener.port, Flag())
      let serving = try loop.createTask {
        try await listener.serve { connection in
          if !isCancelledMeanwhile { _ = try? await connection.readLine() }
          try await withCancellationShield(atMost: .seconds(60)) {
            isInShield.set()
            #expect(try await connection.readLine() == "go on")
            try await connection.write("goodbye\n")
          }
        }
      }
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: port)
      defer { client.close() }
      if isCancelledMeanwhile {
        try await turnUntil { isInShield.isSet }
      } else {
        for _ in 0..<20 { try await sleep(for: .zero) }
      }
      serving.cancel()
      try await turnUntil { isInShield.isSet }
      for _ in 0..<5 { try await sleep(for: .zero) }
      try await client.write("go on\n")
      #expect(try await client.readLine() == "goodbye")
      await #expect(throws: CancellationError.self) { try await serving.get() }
    }
  }
}
