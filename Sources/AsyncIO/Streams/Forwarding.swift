internal import CAsyncIO

// Bytes from one connection to another that nobody looks at. Many of them need not pass through this program: the
// system moves them from socket to pipe to socket (splice(2)), without a copy. The traps:
//
// - Few bytes are copied faster than moved. (On an idle machine a copied message of 16 KiB took 0.83 of the time of a
//   moved one, a copied one of 64 KiB 1.7 times as much.) So every flow begins with copies, goes over to the system
//   when much has come in a turn, and back when little has.
// - It works for plain TCP only. TLS has to see the bytes, and Unix sockets carry descriptors.
// - An urgent byte stops the system for good, and it says that nothing is there. So what was reported and cannot be
//   moved is received.
// - A pipe is full with few bytes in it if they came in many packets. So only a call that finds nothing tells that
//   nothing is left, where a receive tells by bringing less than there was room for. A ring, which looks by itself
//   when a wait begins, is asked to wait instead.
// - What is in the pipe is neither here nor there. If it cannot be sent it is read back, and is the next read's.
// - A fast sender and a fast receiver would keep the loop to themselves.

/// Learns of the bytes of a flow. In the thread of the flow's task.
package protocol ForwardingObserver: AnyObject {
  /// Note that bytes were received, and are about to be written.
  func forwardingTook()
  /// Note that the system has taken `count` more bytes. `inHand` is true while bytes that were received wait for it.
  func forwardingPassedOn(_ count: Int, inHand: Bool)
}

/// One direction of a flow. Its task holds the reader's claim of one connection and the writer's of the other.
struct Forwarding {
  /// From this many bytes in a turn on, the system is asked to move the next ones.
  private static let bulk = 32 * 1024
  /// What a flow may move before other tasks have their turn.
  private static let share = 1024 * 1024

  private let source: StreamConnection
  private let target: StreamConnection
  private let observer: (any ForwardingObserver)?
  /// The most that is written at a time.
  private let piece: Int
  private var left: Int64
  private(set) var passed: Int64 = 0

  /// How to wait for bytes that the system is to move; nil if it is not asked to.
  private let wait: IOOperation.Kind?
  private var movesNext = false
  /// Bytes copied in a turn; a ring may bring them in several chunks.
  private var copied: (count: Int, turn: UInt64) = (0, 0)
  /// True if the last wait said that bytes are there.
  private var wasReported = false
  /// Looked up once.
  private var pipes: SplicePipes?
  /// Bytes moved since other tasks had their turn.
  private var moved = 0
  private var isElsewhere = false

  init(
    from source: StreamConnection, to target: StreamConnection, atMost limit: Int64, piece: Int,
    _ observer: (any ForwardingObserver)?
  ) {
    (self.source, self.target, self.observer) = (source, target, observer)
    (left, self.piece) = (limit, piece)
    wait = source.core === target.core && piece == .max ? source.core.backend.waitToSplice : nil
  }

  /// Pass on what comes until the stream ends or the limit is reached.
  mutating func run() async throws {
    isElsewhere = !source.core.isRunningInThisThread || !target.core.isRunningInThisThread
    while left > 0, try await step() {}
  }

  /// Pass on one chunk, or wait for it. Returns `false` at the end of the stream.
  private mutating func step() async throws -> Bool {
    if !source.leftover.isEmpty {
      try await checkpoint()
      let bytes = source.leftover.take(source.leftover.count)
      try await pass(bytes.span.bytes)
      return true
    }
    if isElsewhere { return try await copyElsewhere() }
    return movesNext ? try await move() : try await copy()
  }

  private mutating func note(_ count: Int, inHand: Bool) {
    left -= Int64(count)
    passed += Int64(count)
    observer?.forwardingPassedOn(count, inHand: inHand)
  }

  // MARK: Through this program

  private mutating func copy() async throws -> Bool {
    let operation = source.receiving
    operation.kind = .receiveLent
    await source.core.complete(operation)
    guard source.core.isRunningInThisThread else { return goElsewhere() }
    guard operation.result >= 0 else { throw source.failure(operation.result, "read") }
    // Closed between the report that bytes are there and this task's turn to fetch them.
    guard !source.isClosed else { throw source.failure(-Int(ECANCELED), "read") }
    guard source.core.claimLent(operation) else { return true }
    let n = operation.result
    if n < 0 { throw source.failure(n, "read") }
    if n == 0 { return try ended() }
    operation.assertLends()
    defer {
      operation.assertReturns()
      source.core.returnLent(operation)
    }
    let turn = source.core.turns
    copied = (copied.turn == turn ? copied.count + n : n, turn)
    movesNext = copied.count >= Self.bulk && mayMove
    // Right because the buffer is this operation's until it is returned.
    try await pass(UnsafeRawBufferPointer(start: operation.buffer, count: n).bytes)
    return true
  }

  private func ended() throws -> Bool {
    try source.checkEnd()
    return false
  }

  /// Go on in a task that has left the loop's thread.
  private mutating func goElsewhere() -> Bool {
    isElsewhere = true
    return true
  }

  /// Pass on a chunk in a task that does not run on the loop of both connections.
  private mutating func copyElsewhere() async throws -> Bool {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: LentBufferPool.ownCapacity, alignment: 16)
    defer { memory.deallocate() }
    let n = try await source.receive(memory.baseAddress!, memory.count)
    // Right because the memory is this call's until it is deallocated.
    if n > 0 { try await pass(UnsafeRawBufferPointer(rebasing: memory[..<n]).bytes) }
    return n > 0
  }

  /// Write the bytes, as far as the limit goes. What is not written is the source's again.
  private mutating func pass(_ bytes: RawSpan) async throws {
    let end = Int(min(Int64(bytes.byteCount), left))
    var done = 0
    defer { if done < bytes.byteCount { source.leftover.append(bytes.extracting(done...)) } }
    observer?.forwardingTook()
    while done < end {
      var sent = 0
      defer {
        done += sent
        note(sent, inHand: done < end)
      }
      let next = bytes.extracting(done..<min(end, done + min(piece, end)))
      // Right because the span is valid until this call returns, and the operation has ended by then.
      let memory = next.withUnsafeBytes { $0 }
      do {
        try await OperationSink(target.sending, "write").send(memory, &sent)
      } catch {
        throw target.failure(target.sending.result, "write")
      }
    }
  }

  // MARK: By the system

  /// True if the system can move bytes of this flow.
  private var mayMove: Bool {
    wait != nil && source.descriptor.shortReadsDrain && target.descriptor.shortReadsDrain
      && source.descriptor.layer == nil && target.descriptor.layer == nil
  }

  private mutating func move() async throws -> Bool {
    try Task.checkCancellation()
    guard !source.isClosed else { throw source.failure(-Int(ECANCELED), "read") }
    if wait == .ready && !wasReported { return try await waitForBytes() }
    let pipes = self.pipes ?? source.core.splicePipes
    self.pipes = pipes
    guard mayMove, let pipe = pipes.take() else {
      movesNext = false
      return true
    }
    let count = Int(min(Int64(pipe.capacity), left))
    let n = source.core.backend.trySplice(source.descriptor, into: pipe.writeEnd, atMost: count)
    if n > 0 { return try await send(n, from: pipe, pipes) }
    pipes.giveBack(pipe)
    switch n {
    case 0: return try ended()
    case -Int(EAGAIN) where !wasReported: return try await waitForBytes()
    case -Int(EALREADY):
      source.receiving.result = 0
      await source.core.completeInNextTurn(source.receiving)
      return source.core.isRunningInThisThread ? true : goElsewhere()
    // What is there cannot be moved, or comes first.
    case -Int(EAGAIN), -Int(EBUSY), -Int(EINVAL), -Int(ENOTSUP), -Int(ENOSYS):
      (movesNext, wasReported) = (false, false)
      return true
    default: throw source.failure(n, "read")
    }
  }

  private mutating func waitForBytes() async throws -> Bool {
    let operation = source.receiving
    operation.kind = wait!
    await source.core.complete(operation)
    guard operation.result >= 0 else { throw source.failure(operation.result, "read") }
    wasReported = true
    return source.core.isRunningInThisThread ? true : goElsewhere()
  }

  /// Send what is in the pipe. What cannot be sent is the source's again.
  private mutating func send(_ count: Int, from pipe: SplicePipe, _ pipes: SplicePipes) async throws -> Bool {
    (movesNext, wasReported) = (count >= Self.bulk, false)
    observer?.forwardingTook()
    var left = count
    defer {
      if left > 0 { takeBack(left, from: pipe) } else { pipes.giveBack(pipe) }
    }
    while left > 0 {
      guard !target.isClosed else { throw target.failure(-Int(ECANCELED), "write") }
      let n = source.core.backend.trySplice(from: pipe.readEnd, left, to: target.descriptor)
      switch n {
      case 1...:
        left -= n
        note(n, inHand: left > 0)
      case -Int(EAGAIN): try await target.waitToSend(.writable, "write")
      case -Int(EBUSY): try await target.waitToSend(.flush, "write")
      default: throw target.failure(n == 0 ? -Int(EIO) : n, "write")
      }
      guard source.core.isRunningInThisThread else { return goElsewhere() }
    }
    try await letOthersIn(after: count)
    return true
  }

  private mutating func letOthersIn(after count: Int) async throws {
    moved += count
    guard moved >= Self.share else { return }
    moved = 0
    source.receiving.result = 0
    await source.core.completeInNextTurn(source.receiving)
  }

  private func takeBack(_ count: Int, from pipe: SplicePipe) {
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
      while initialized < count {
        let n = casyncio_read(pipe.readEnd, memory.baseAddress! + initialized, count - initialized)
        guard n > 0 else { break }
        initialized += n
      }
    }
    assert(bytes.count == count, "a pipe has lost bytes")
    source.leftover.append(bytes.span.bytes)
    pipe.close()
  }
}
