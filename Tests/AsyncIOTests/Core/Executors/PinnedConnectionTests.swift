import CAsyncIO
import Testing

@testable import AsyncIO

/// Connections in the hands of an actor of the loop whose tasks prefer nothing. Between the submission of an operation
/// and the suspension for it such code must not leave the loop's thread, or the completion comes in between and is
/// lost.
@Suite struct PinnedConnectionTests {
  @Test("An actor of the loop reads and writes without a task that prefers the loop", arguments: LoopKind.allCases)
  func pingPong(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let pair = try SocketPair()
    let client = Client(loop, dup(pair.a))
    let rounds = 2_000
    let echo = TestThread {
      var left = rounds
      while left > 0 {
        let count = pair.read(from: pair.b)
        guard count > 0 else {
          yieldProcessor()
          continue
        }
        pair.write(count, to: pair.b)
        left -= count
      }
    }
    let running = TestThread { try? loop.runForever() }
    let strays = try await Task.detached { try await client.play(rounds) }.value
    #expect(strays == 0)
    loop.stop()
    try await inThread {
      echo.join()
      running.join()
    }
    try loop.close()
  }
}

private actor Client {
  private nonisolated let loop: BaseEventLoop
  private let descriptor: Int32

  init(_ loop: BaseEventLoop, _ descriptor: Int32) {
    self.loop = loop
    self.descriptor = descriptor
    casyncio_set_nonblocking(descriptor)
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.serialExecutor.asUnownedSerialExecutor() }

  /// Send a byte and wait for it, many times; how often it then was in another thread.
  func play(_ rounds: Int) async throws -> Int {
    let connection = StreamConnection(descriptor, core: loop)
    defer { connection.close() }
    var strays = 0
    for _ in 0..<rounds {
      try await connection.write([7])
      let bytes = try await connection.read(upTo: 1)
      if bytes.count != 1 || !loop.isRunningInThisThread { strays += 1 }
    }
    return strays
  }
}
