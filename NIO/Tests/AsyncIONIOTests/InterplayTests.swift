import AsyncIO
import AsyncIONIO
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// Programs that keep NIO's own loops beside one of ours: what crosses between the two arrives, in the right thread.
@Suite("NIO's own loops beside ours", .timeLimit(.minutes(2)), .serialized)
struct InterplayTests {
  enum Kind: String, CaseIterable, Sendable {
    case selector, proactor

    func makeLoop() throws -> any AsyncIO.EventLoop {
      self == .selector ? try SelectorEventLoop() : try ProactorEventLoop()
    }
  }

  /// Run a body as a task of a loop that has a thread of its own.
  private func run(_ kind: Kind, _ body: @escaping @Sendable (any AsyncIO.EventLoop) async throws -> Void) async throws
  {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      let work: @Sendable () -> Void = {
        continuation.resume(
          with: Result {
            let loop = try kind.makeLoop()
            defer { try? loop.close() }
            try loop.runUntilComplete(try loop.createTask { try await body(loop) })
          })
      }
      NIOThreadPool.singleton.submit { _ in work() }
    }
  }

  @Test("A task that awaits a future of NIO's loop goes on in its own thread", arguments: Kind.allCases)
  func futures(kind: Kind) async throws {
    try await run(kind) { loop in
      let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
      let ours = AsyncIOEventLoop.over(loop)
      for value in 0..<1000 {
        let other = group.next()
        #expect(try await other.submit { other.inEventLoop ? value : -1 }.get() == value)
        #expect(ours.inEventLoop)
      }
      let hopped = group.next().makeSucceededFuture(7).hop(to: ours)
      #expect(try await hopped.map { ours.inEventLoop ? $0 : -1 }.get() == 7)
      try await group.shutdownGracefully()
      #expect(ours.inEventLoop)
    }
  }

  @Test("A body streams between a channel of NIO's loop and a task of ours, both ways", arguments: Kind.allCases)
  func streaming(kind: Kind) async throws {
    try await run(kind) { loop in
      let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
      let server = try await ServerBootstrap(group: group)
        .bind(host: "127.0.0.1", port: 0, childChannelInitializer: AsyncChannelTests.wrap)
      let address = server.channel.localAddress!
      let count = 5_000_000
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
          try await server.executeThenClose { connections in
            for try await connection in connections {
              try await connection.executeThenClose { input, output in
                for try await bytes in input { try await output.write(bytes) }
              }
              break
            }
          }
        }
        // Our own stream at the other end.
        let client = try await StreamConnection.connect(
          to: AsyncIO.SocketAddress(ipLiteral: "127.0.0.1", port: UInt16(address.port!))!)
        tasks.addTask {
          for start in stride(from: 0, to: count, by: 50_000) {
            try await client.write((start..<start + 50_000).map { UInt8($0 % 251) })
          }
        }
        var received = 0
        while received < count {
          let bytes = try await client.read(upTo: 65_536)
          try #require(!bytes.isEmpty, "the stream ended after \(received) bytes")
          #expect(bytes.enumerated().allSatisfy { $1 == UInt8((received + $0) % 251) })
          received += bytes.count
        }
        #expect(received == count)
        client.close()
        try await tasks.waitForAll()
      }
      try await group.shutdownGracefully()
    }
  }

  @Test("A signal arrives in our loop while NIO's threads are there", arguments: Kind.allCases)
  func signals(kind: Kind) async throws {
    try await run(kind) { loop in
      let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
      let ours = AsyncIOEventLoop.over(loop)
      let arrived = ours.makePromise(of: Bool.self)
      try loop.addSignalHandler(SIGUSR2) { arrived.succeed(ours.inEventLoop) }
      _ = try await group.next().submit { kill(getpid(), SIGUSR2) }.get()
      #expect(try await arrived.futureResult.get())
      loop.removeSignalHandler(SIGUSR2)
      try await group.shutdownGracefully()
    }
  }

  @Test("NIO's group may outlive our loop, and be shut down after it", arguments: Kind.allCases)
  func outliving(kind: Kind) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let late = Mutex<EventLoopFuture<Int>?>(nil)
    try await run(kind) { loop in
      let ours = AsyncIOEventLoop.over(loop)
      // Completed after the loop has been closed: its callback must not get lost.
      let promise = ours.makePromise(of: Int.self)
      group.next().scheduleTask(in: .milliseconds(50)) { promise.succeed(3) }
      late.withLock { $0 = promise.futureResult }
    }
    #expect(try await late.withLock { $0 }!.get() == 3)
    try await group.shutdownGracefully()
  }
}
