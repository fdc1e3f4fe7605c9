import CAsyncIO
import POSIX
import Synchronization
import SystemPackage
import Testing

@testable import AsyncIO

/// The properties of a connection in other threads while its loop closes it: a closed number is never used. The system
/// gives it out again, so each test has a process of its own.
@Suite(.timeLimit(.minutes(5)))
struct ClosedNumberTests {
  /// A thread that uses the number of the current connection in every way that other threads have.
  private final class User: Sendable {
    static let current = Lock<StreamConnection?>(nil)
    static let isOver = Flag()
    /// Addresses that no connection of the test has.
    static let strays = Recorder<SocketAddress>()

    private let rounds = Atomic<Int>(0)
    let ended = Gate()

    init() {
      startThread { [self] in
        while !Self.isOver.isSet {
          if let connection = Self.current.withLock({ $0 }) {
            for address in [connection.localAddress, connection.peerAddress] {
              if let address, !address.isIPv4 { Self.strays.record(address) }
            }
            try? connection.writeEOF()
          }
          rounds.add(1, ordering: .sequentiallyConsistent)
        }
        ended.open()
      }
    }

    /// Wait until what the thread does now is done.
    func finishRound() {
      let now = rounds.load(ordering: .sequentiallyConsistent)
      while rounds.load(ordering: .sequentiallyConsistent) == now { yieldProcessor() }
    }
  }

  @Test(
    "Addresses and writeEOF of a connection that another thread closes do not touch the next owner of its number",
    arguments: LoopKind.allCases)
  func reused(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await Self.reusedAlone(kind: kind)
    }
  }

  @Test("A close waits for the call that another thread makes with the number", arguments: LoopKind.allCases)
  func closeWaits(kind: LoopKind) async throws {
    try await kind.withPair { near, _ in
      // The listener that made the pair is closed, and a proactor gives its number back a few turns later: under the
      // lock that the thread below holds until this loop goes on.
      let turns = near.core.turns
      try await turnUntil { near.core.turns > turns + 3 }
      let inUse = near.core.createFuture(of: Void.self)
      let status = Recorder<Int32?>()
      let user = TestThread {
        status.record(
          near.core.withNumber(of: near.descriptor) { number in
            inUse.complete(.success(()))
            while !near.isClosed { yieldProcessor() }
            // The loop's thread closes it now, if it does not wait; this gives it the time to do so.
            for _ in 0..<100 { yieldProcessor() }
            return fcntl(number, F_GETFD)
          })
        status.record(near.core.withNumber(of: near.descriptor) { $0 })
      }
      try await inUse.get()
      near.close()
      try await inThread { user.join() }
      #expect(status.all == [FD_CLOEXEC, nil])
      #expect(near.localAddress == nil && near.peerAddress == nil)
    }
  }

  private static func reusedAlone(kind: LoopKind) async throws {
    let users = (0..<6).map { _ in User() }
    let reuses = try await kind.run { _ in
      let spare = try SocketPair()
      var reuses = 0
      for _ in 0..<100 {
        let pair = try await StreamPair.make()
        let number = pair.near.descriptor.fileDescriptor
        User.current.withLock { $0 = pair.near }
        for user in users { user.finishRound() }
        pair.near.close()
        let copy = fcntl(spare.a, F_DUPFD, number)
        for user in users { user.finishRound() }
        if copy == number { reuses += 1 }
        // Ended by a stray writeEOF, it would refuse.
        spare.write(1, to: copy)
        spare.read(from: spare.b)
        spare.close(copy)
        pair.far.close()
      }
      return reuses
    }
    User.isOver.set()
    for user in users { user.ended.wait() }
    #expect(User.strays.all.isEmpty)
    #expect(reuses > 0)
  }
}
