internal import CAsyncIO

/// Small writes of one stream that were taken and are on their way: one block is with the system, one is filled
/// meanwhile. A connection that has nothing to send has no block.
struct Outbox {
  static let blockSize = 4096

  /// The block that is sent, and how much of it is gone.
  private(set) var block: UnsafeMutableRawPointer?
  private var count = 0
  private var gone = 0
  /// The block that goes next.
  private var next: UnsafeMutableRawPointer?
  private var nextCount = 0

  var isEmpty: Bool { block == nil }

  /// The rest of the first block.
  var unsent: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: block! + gone, count: count - gone) }

  /// Take the bytes, all or none. Returns `needsStart` if nothing was on its way before.
  @inline(__always)
  mutating func take(_ bytes: UnsafeRawBufferPointer, _ pool: inout OutboxBlocks) -> Bool {
    if block == nil {
      guard bytes.count <= Self.blockSize, let fresh = pool.take() else { return false }
      fresh.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
      (block, count, gone) = (fresh, bytes.count, 0)
      return true
    }
    return takeBehind(bytes, &pool)
  }

  private mutating func takeBehind(_ bytes: UnsafeRawBufferPointer, _ pool: inout OutboxBlocks) -> Bool {
    guard nextCount + bytes.count <= Self.blockSize else { return false }
    if next == nil { next = pool.take() }
    guard let next else { return false }
    (next + nextCount).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    nextCount += bytes.count
    return true
  }

  /// Count bytes of the first block as gone.
  mutating func advance(_ bytes: Int) { gone += bytes }

  /// Drop the first block, which is gone. Returns `true` if there is another one to send.
  @inline(__always)
  mutating func removeFirst(_ pool: inout OutboxBlocks) -> Bool {
    pool.giveBack(block!)
    (block, count, gone) = (next, nextCount, 0)
    (next, nextCount) = (nil, 0)
    return block != nil
  }

  /// Drop everything: nothing more will be sent.
  mutating func removeAll(_ pool: inout OutboxBlocks) {
    while !isEmpty { _ = removeFirst(&pool) }
  }
}

/// The blocks of all outboxes of a backend. The block used last is given out next, so that a few of them stay in the
/// cache. Bounded: without a block a write waits, as it does if the system has no room.
struct OutboxBlocks: ~Copyable {
  private static let limit = 4096

  private var free: [UnsafeMutableRawPointer] = []
  private var allocated = 0

  @inline(__always)
  mutating func take() -> UnsafeMutableRawPointer? { free.popLast() ?? takeNew() }

  private mutating func takeNew() -> UnsafeMutableRawPointer? {
    guard allocated < Self.limit else { return nil }
    allocated += 1
    free.reserveCapacity(allocated)
    return .allocate(byteCount: Outbox.blockSize, alignment: 64)
  }

  @inline(__always)
  mutating func giveBack(_ block: UnsafeMutableRawPointer) { free.append(block) }

  deinit {
    assert(free.count == allocated, "a block of an outbox was lost")
    for block in free { block.deallocate() }
  }
}
