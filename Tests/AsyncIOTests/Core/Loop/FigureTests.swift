import Testing

@testable import AsyncIO

/// What a loop says of itself in numbers.
@Suite(.timeLimit(.minutes(5)))
struct FigureTests {
  @Test("Turns, entries, timers and tasks", arguments: LoopKind.allCases)
  func loop(kind: LoopKind) async throws {
    try await kind.run { loop in
      let before = loop.figures
      #expect(before.bytes == nil && before.pool == nil && before.connections == 0)
      let timer = try loop.callLater(.seconds(3600)) {}
      let task = try loop.createTask { try await sleep(for: .seconds(3600)) }
      try await turnUntil { loop.figures.timers >= 2 }
      let after = loop.figures
      #expect(after.turns > before.turns && after.entries > before.entries)
      #expect(after.tasks == before.tasks + 1)
      timer.cancel()
      task.cancel()
      try await turnUntil { loop.figures.tasks == before.tasks }
      try await toThread {}
      #expect(try #require(loop.figures.pool).threads >= 1)
    }
  }

  @Test("A server counts while it is there, its accepts and bytes for good", arguments: LoopKind.allCases)
  func server(kind: LoopKind) async throws {
    try await kind.run { loop in
      loop.beginToCountBytes()
      #expect(loop.figures.bytes == TransferredBytes())
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask {
        try await listener.serve(maximumConnections: 1) { connection in
          try await connection.forEachChunk { try await connection.write($0) }
        }
      }
      let client = try await StreamConnection.connect(to: listener.addresses[0])
      try await client.write("12345")
      _ = try await client.readExactly(5)
      try await turnUntil { loop.figures.waitingListeners == 1 }
      #expect(loop.figures.connections == 1 && loop.figures.accepts == 1 && loop.figures.acceptFailures == 0)
      let isCounted = loop.sockets.transferredBytes(of: client.descriptor.fileDescriptor) != nil
      if isCounted { #expect(loop.figures.bytes?.received == 5 && loop.figures.bytes?.sent == 5) }
      client.close()
      try await turnUntil { loop.figures.connections == 0 }
      // Both sides were this loop's. The end of a stream may count as a byte.
      if isCounted {
        try await turnUntil { (10...12).contains(loop.figures.bytes?.received ?? 0) }
        #expect((10...12).contains(loop.figures.bytes?.sent ?? 0))
      }
      listener.close()
      try await serving.value
      #expect(loop.figures.accepts == 1 && loop.figures.connections == 0 && loop.figures.waitingListeners == 0)
    }
  }

  @Test("A context travels with callbacks, beside the policy or without one", arguments: LoopKind.allCases)
  func context(kind: LoopKind) async {
    // The carrier stays for the rest of the process.
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.run { loop in
        carryContext(by: WordCarrier())
        let seen = Recorder<String>()
        let future = loop.createFuture(of: Void.self)
        try withEventLoopPolicy(RefusingPolicy()) {
          try Word.$current.withValue("a") {
            try loop.callSoon { seen.record("\(Word.current ?? "none") \(getEventLoopPolicy() is RefusingPolicy)") }
            future.addDoneCallback { _ in seen.record("done \(Word.current ?? "none")") }
          }
          try loop.callSoon { seen.record("\(Word.current ?? "none") \(getEventLoopPolicy() is RefusingPolicy)") }
        }
        future.addDoneCallback { _ in seen.record("bare \(Word.current ?? "none")") }
        try Word.$current.withValue("b") { try future.setResult(()) }
        try await turnUntil { seen.all.count == 4 }
        #expect(seen.all == ["a true", "none true", "done a", "bare none"])
      }
    }
  }
}

private enum Word {
  @TaskLocal static var current: String?
}

private struct WordCarrier: ContextCarrier {
  func capture() -> (any Sendable)? { Word.current }
  func restore<Result>(_ context: (any Sendable)?, _ body: () throws -> Result) rethrows -> Result {
    try Word.$current.withValue(context as? String, operation: body)
  }
}
