internal import CAsyncIO

/// Writes of one stream that were taken and are on their way: one block is with the system, one is filled meanwhile. A
/// connection that has nothing to send has no block.
struct Outbox {
  /// A block for what is small, and one for more.
  static let blockSize = 4096
  static let largeBlockSize = 32 * 1024

  /// The block that is sent, and how much of it is gone.
  private(set) var block: UnsafeMutableRawPointer?
  private var count = 0
  private var gone = 0
  /// The block that goes next.
  private var next: UnsafeMutableRawPointer?
  private var nextCount = 0
  private var isLarge = false
  private var isNextLarge = false

  var isEmpty: Bool { block == nil }

  /// What goes next, behind the first block.
  var unsentNext: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: next, count: nextCount) }

  /// The rest of the first block.
  var unsent: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: block! + gone, count: count - gone) }

  /// Take the bytes, all or none.
  @inline(__always)
  mutating func take(_ bytes: UnsafeRawBufferPointer, _ pool: inout OutboxBlocks) -> Bool {
    if block == nil {
      let needsLarge = bytes.count > Self.blockSize
      guard bytes.count <= Self.largeBlockSize, let fresh = pool.take(large: needsLarge) else { return false }
      fresh.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
      (block, count, gone, isLarge) = (fresh, bytes.count, 0, needsLarge)
      return true
    }
    return takeBehind(bytes, &pool)
  }

  private mutating func takeBehind(_ bytes: UnsafeRawBufferPointer, _ pool: inout OutboxBlocks) -> Bool {
    if next == nil {
      isNextLarge = bytes.count > Self.blockSize
      guard bytes.count <= Self.largeBlockSize else { return false }
      next = pool.take(large: isNextLarge)
    }
    guard let next, nextCount + bytes.count <= (isNextLarge ? Self.largeBlockSize : Self.blockSize) else {
      return false
    }
    (next + nextCount).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    nextCount += bytes.count
    return true
  }

  /// Count bytes of the first block as gone.
  mutating func advance(_ bytes: Int) { gone += bytes }

  /// Count bytes of what goes next as gone, while the first block is still held.
  mutating func advanceNext(_ bytes: Int, _ pool: inout OutboxBlocks) {
    guard let next else { return }
    nextCount -= bytes
    next.copyMemory(from: next + bytes, byteCount: nextCount)
    guard nextCount == 0 else { return }
    pool.giveBack(next, large: isNextLarge)
    self.next = nil
  }

  /// Drop the first block, which is gone. Returns `true` if there is another one to send.
  @inline(__always)
  mutating func removeFirst(_ pool: inout OutboxBlocks) -> Bool {
    pool.giveBack(block!, large: isLarge)
    (block, count, gone, isLarge) = (next, nextCount, 0, isNextLarge)
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
  /// 16 MiB of each kind.
  private static let memory = 16 * 1024 * 1024

  private var free: [UnsafeMutableRawPointer] = []
  private var allocated = 0
  private var freeLarge: [UnsafeMutableRawPointer] = []
  private var allocatedLarge = 0

  @inline(__always)
  mutating func take(large: Bool) -> UnsafeMutableRawPointer? {
    large ? freeLarge.popLast() ?? takeNewLarge() : free.popLast() ?? takeNew()
  }

  private mutating func takeNew() -> UnsafeMutableRawPointer? {
    guard allocated < Self.memory / Outbox.blockSize else { return nil }
    allocated += 1
    free.reserveCapacity(allocated)
    return .allocate(byteCount: Outbox.blockSize, alignment: 64)
  }

  private mutating func takeNewLarge() -> UnsafeMutableRawPointer? {
    guard allocatedLarge < Self.memory / Outbox.largeBlockSize else { return nil }
    allocatedLarge += 1
    freeLarge.reserveCapacity(allocatedLarge)
    return .allocate(byteCount: Outbox.largeBlockSize, alignment: 64)
  }

  @inline(__always)
  mutating func giveBack(_ block: UnsafeMutableRawPointer, large: Bool) {
    if large { freeLarge.append(block) } else { free.append(block) }
  }

  deinit {
    assert(free.count == allocated && freeLarge.count == allocatedLarge, "a block of an outbox was lost")
    for block in free { block.deallocate() }
    for block in freeLarge { block.deallocate() }
  }
}
