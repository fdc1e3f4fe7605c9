import CAsyncIO
import Testing

@testable import AsyncIO

/// The close of a loop that nobody runs: its tasks go on elsewhere, and what they then touch is not touched here.
@Suite(.enabled(if: LoopKind.hasProactor, "io_uring is not available"), .timeLimit(.minutes(5)))
struct ProactorClosingTests {
  @Test("Chunks that many tasks hold across the close come back from many threads at once")
  func chunksAfterClose() async {
    await #expect(processExitsWith: .success) {
      try await Self.holdChunksAcrossClose()
      try await expectNoLeaks { for _ in 0..<20 { try await Self.holdChunksAcrossClose() } }
    }
  }

  private static func holdChunksAcrossClose() async throws {
    let loop = try ProactorEventLoop()
    let holding = Counter()
    let right = Counter()
    let gates = (0..<32).map { _ in AsyncStream.makeStream(of: Void.self) }
    let (tasks, pairs) = try await runInThread(loop) {
      var tasks: [LoopTask<Void>] = []
      var pairs: [StreamPair] = []
      for gate in gates {
        let pair = try await StreamPair.make()
        pairs.append(pair)
        try await pair.far.write(numbered(0..<100))
        tasks.append(
          try loop.createTask {
            try await pair.near.forEachChunk { chunk in
              holding.add(1)
              for await _ in gate.stream { break }
              right.add(chunk.withUnsafeBytes { $0.elementsEqual(numbered(0..<100)) } ? 1 : 0)
            }
          })
      }
      try await turnUntil { holding.value == gates.count }
      return (tasks, pairs)
    }
    // Half of them are on their way already when the loop closes, half come later, all from threads of the pool.
    for gate in gates.prefix(16) { gate.continuation.yield() }
    try await inThread { try loop.close() }
    for gate in gates.suffix(16) { gate.continuation.yield() }
    for task in tasks { await #expect(throws: EventLoopError.self) { try await task.get() } }
    #expect(right.value == gates.count)
    for pair in pairs { pair.close() }
  }

  @Test("A connection closed between the runs gets its last bytes out when the loop closes")
  func closedBetweenRuns() async throws {
    let loop = try ProactorEventLoop()
    let pair = try await runInThread(loop) { try await StreamPair.make() }
    let sent = try await runInThread(loop) { try await fill(pair.near, of: loop) }
    // Nobody runs the loop, so the close waits in its inbox.
    pair.near.close()
    var got = receiveAll(pair.far.descriptor.fileDescriptor)
    try loop.close()
    got += receiveAll(pair.far.descriptor.fileDescriptor)
    #expect(got.count == sent)
    let isRight = got == numbered(0..<got.count)
    #expect(isRight)
    pair.far.close()
  }
}

/// One run of the loop, in a thread of its own.
func runInThread<R: Sendable>(
  _ loop: BaseEventLoop, _ body: @escaping @Sendable () async throws -> R
) async throws -> R {
  try await inThread { try loop.runUntilComplete(try loop.createTask { try await body() }) }
}

/// Write small pieces until the outbox takes no more: the bytes that were taken. In a task of the connection's loop.
func fill(_ connection: StreamConnection, of loop: BaseEventLoop) async throws -> Int {
  var sent = 0
  var idle = 0
  while true {
    let n = numbered(sent..<sent + 1000).withUnsafeBytes { loop.backend.trySend(connection.descriptor, $0) }
    try #require(n >= 0)
    sent += n
    idle = n == 0 ? idle + 1 : 0
    // The outbox is full now; a turn may empty it, as long as the system takes what is in it.
    if idle == 5 { return sent }
    if n == 0 { try await sleep(for: .zero) }
  }
}

/// Receive all that has arrived, without a loop.
func receiveAll(_ number: Int32) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while case let n = recv(number, &buffer, buffer.count, Int32(MSG_DONTWAIT)), n > 0 { bytes += buffer[..<n] }
  return bytes
}
