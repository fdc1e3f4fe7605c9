import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Cancelling against a peer in another thread, at random moments: every byte and every connection is somebody's.
///
/// `ASYNCIO_TEST_RACES` sets the number of rounds of all seeds together; a failure is repeated by its seed, as far as
/// the other thread allows. Run many rounds alone: other tests would wait for them, past their time limits.
@Suite(.enabled(if: LoopKind.hasProactor, "io_uring is not available"), .timeLimit(.minutes(30)))
struct ProactorCancellingRaceTests {
  static let rounds = getenv("ASYNCIO_TEST_RACES").flatMap { Int(String(cString: $0)) } ?? 4_000
  static let seeds: [UInt64] = [1, 2, 3, 4]

  @Test("Random rounds of every kind of operation, cancelled or not", arguments: seeds)
  func randomRounds(seed: UInt64) async {
    await #expect(processExitsWith: .success) { [seed = seed as UInt64] in
      let rounds = Self.rounds / Self.seeds.count
      try await Self.race(seed: seed, rounds: 100)
      try await expectNoLeaks { try await Self.race(seed: seed, rounds: rounds) }
    }
  }

  private static func race(seed: UInt64, rounds: Int) async throws {
    // Half of the seeds race in queues that are always full.
    try await ProactorDriver.run(seed.isMultiple(of: 2) ? .narrow : casyncio_port_options()) { driver in
      let race = try Race(driver, seed: seed)
      for _ in 0..<rounds { try race.round() }
      try race.end()
    }
  }
}

/// One thread's side of the rounds. All sockets that are read here are written by the peer, and the other way round.
private final class Race {
  private let driver: ProactorDriver
  private var random: SplitMix
  private let peer = RacingPeer()
  private let memory = UnsafeMutableRawPointer.allocate(byteCount: RacingBytes.maximum, alignment: 16)

  private let incoming: [SocketPair]
  private let receives: [IOOperation]
  private var received: [Int]
  private let outgoing: [SocketPair]
  private let sends: [IOOperation]
  private var sent: [Int]
  private let accepting: IOOperation
  private let acceptAddress: SocketAddress
  private var accepted = 0
  private let listener: Int32
  private let connectAddress: SocketAddress

  init(_ driver: ProactorDriver, seed: UInt64) throws {
    self.driver = driver
    random = SplitMix(seed: seed)
    incoming = try (0..<8).map { _ in try SocketPair() }
    outgoing = try (0..<8).map { _ in try SocketPair() }
    receives = incoming.map { IOOperation(.receive, on: driver.adopt($0)) }
    sends = outgoing.map { IOOperation(.send, on: driver.adopt($0)) }
    received = Array(repeating: 0, count: 8)
    sent = Array(repeating: 0, count: 8)
    let any = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 0))
    let number = try listen(on: any, backlog: 4096)
    acceptAddress = try #require(SocketAddress.local(of: number))
    accepting = IOOperation(.accept, on: driver.adopt(number, isListening: true))
    listener = try listen(on: any, backlog: 4096)
    connectAddress = try #require(SocketAddress.local(of: listener))
  }

  deinit { memory.deallocate() }

  private func chance(_ n: UInt64) -> Bool { random.next() % n == 0 }

  func round() throws {
    switch random.next() % 100 {
    case 0..<60: try receive(Int(random.next() % 8))
    case 60..<85: try send(Int(random.next() % 8))
    case 85..<90: try accept()
    case 90..<93: try connect()
    default: try close()
    }
    if chance(1000) { try driver.restart() }
    if chance(50) { driver.expectSound() }
  }

  /// Submit, cancel perhaps, and wait for the end; the peer acts at some moment meanwhile. Returns `true` if,
  /// cancelled or not, the operation was with the backend.
  private func run(_ operation: IOOperation, _ action: RacingPeer.Action, mustCancel: Bool = false) throws {
    let moment = random.next() % 6
    if moment == 0 {
      peer.begin(action)
      peer.wait()
    }
    if moment == 1 { peer.begin(action) }
    _ = driver.backend.submit(operation)
    if moment == 2 { peer.begin(action) }
    try driver.step(Int(random.next() % 3))
    if moment == 3 { peer.begin(action) }
    for _ in 0..<random.next() % 3 { yieldProcessor() }
    if mustCancel || !chance(4) { driver.backend.cancel(operation) }
    if moment == 4 { peer.begin(action) }
    if chance(200) { try driver.restart() }
    if moment == 5 { peer.begin(action) }
    try driver.finish(operation)
    peer.wait()
  }

  private func receive(_ index: Int) throws {
    let operation = receives[index]
    operation.kind = chance(2) ? .receive : .receiveLent
    (operation.buffer, operation.count) = (memory, 1 + Int(random.next() % 65536))
    try run(operation, .write(incoming[index].b, 1 + Int(random.next() % 3000)))
    try take(index)
  }

  /// Count what a receive has brought, and compare it.
  private func take(_ index: Int) throws {
    let operation = receives[index]
    if operation.isCancelled { return }
    try #require(operation.result >= 0, "receive: \(operation.result)")
    let isLent = operation.kind == .receiveLent
    // Bytes that wait may have come after a wait that was for nothing.
    guard !isLent || driver.backend.claimLent(operation) else { return }
    let n = operation.result
    let isRight = n > 0 && RacingBytes.areRight(operation.buffer!, n, at: received[index])
    if isLent { driver.backend.returnLent(operation) }
    try #require(isRight, "\(n) bytes at \(received[index])")
    received[index] += n
  }

  private func send(_ index: Int) throws {
    let operation = sends[index]
    let count = chance(3) ? 1 + Int(random.next() % 4096) : 1 + Int(random.next() % UInt64(RacingBytes.maximum))
    (operation.buffer, operation.count, operation.transferred) = (RacingBytes.pointer(at: sent[index]), count, 0)
    try run(operation, .drain(outgoing[index].b), mustCancel: true)
    try #require(operation.isCancelled || operation.result == count, "send: \(operation.result)")
    sent[index] += operation.transferred
  }

  private func accept() throws {
    try run(accepting, .connect(acceptAddress))
    try takeConnection()
  }

  private func takeConnection() throws {
    if accepting.isCancelled { return }
    try #require(accepting.result >= 0, "accept: \(accepting.result)")
    _ = CAsyncIO.close(Int32(accepting.result))
    accepted += 1
  }

  private func connect() throws {
    let operation = IOOperation(
      .connect, on: driver.adopt(try SystemSockets.shared.open(for: AddressInfo(connectAddress))))
    let length = Int(connectAddress.length)
    connectAddress.withSockaddr { memory.copyMemory(from: $0, byteCount: Int($1)) }
    (operation.buffer, operation.count) = (memory, length)
    try run(operation, .accept(listener))
    try #require(operation.isCancelled || operation.result == 0, "connect: \(operation.result)")
    RacingPeer.resetOnClose(operation.descriptor.fileDescriptor)
    driver.close(operation.descriptor)
    try driver.finish(operation.descriptor)
  }

  /// A descriptor is closed under its operation.
  private func close() throws {
    let pair = try SocketPair()
    let kinds: [IOOperation.Kind] = [.receive, .receiveLent, .send]
    let operation = IOOperation(kinds[Int(random.next() % 3)], on: driver.adopt(pair))
    let isSend = operation.kind == .send
    (operation.buffer, operation.count) = (isSend ? RacingBytes.pointer(at: 0) : memory, RacingBytes.maximum)
    let action: RacingPeer.Action = isSend ? .drain(pair.b) : .write(pair.b, 100)
    let moment = random.next() % 3
    if moment == 0 { peer.begin(action) }
    _ = driver.backend.submit(operation)
    if moment == 1 { peer.begin(action) }
    try driver.step(Int(random.next() % 3))
    if moment == 2 { peer.begin(action) }
    driver.close(operation.descriptor)
    try driver.finish(operation)
    try driver.finish(operation.descriptor)
    peer.wait()
    peer.forget(pair.b)
  }

  /// Take what is left, and compare both sides' counts.
  func end() throws {
    peer.end()
    for index in receives.indices {
      let operation = receives[index]
      while received[index] < peer.written[incoming[index].b] ?? 0 {
        (operation.buffer, operation.count) = (memory, 65536)
        if !driver.backend.submit(operation) { try driver.finish(operation) }
        try take(index)
      }
      #expect(received[index] == peer.written[incoming[index].b] ?? 0)
      peer.drain(outgoing[index].b)
    }
    // Small writes count as sent when they are taken; they may be on their way.
    for (index, pair) in outgoing.enumerated() {
      for _ in 0..<1000 where peer.drained[pair.b] ?? 0 < sent[index] {
        try driver.step()
        peer.drain(pair.b)
      }
      #expect(peer.drained[pair.b] ?? 0 == sent[index])
    }
    while accepted < peer.connected {
      if !driver.backend.submit(accepting) { try driver.finish(accepting) }
      try takeConnection()
    }
    #expect(accepted == peer.connected && peer.errors.isEmpty, "\(peer.errors)")
    for operation in receives + sends + [accepting] {
      driver.close(operation.descriptor)
      try driver.finish(operation.descriptor)
    }
    _ = CAsyncIO.close(listener)
    #expect(casyncio_lent_leases(driver.backend.lent) == 0)
  }
}
