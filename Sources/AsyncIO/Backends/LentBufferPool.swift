/// The buffers that receives are lent from.
///
/// One connection holds at most one lent chunk, but a closure may hold its chunk as long as it wants, and a peer that
/// never reads makes an echo hold it for ever. So the pool has a bound and a way to work near it:
///
/// - Large buffers are kept on a stack: the one used last is lent next, so one buffer that stays in the cache serves
///   thousands of connections whose closures do not suspend.
/// - When fewer than a quarter of the large buffers are left, a chunk is copied into a buffer of just its size and the
///   large one stays here; a receive then asks for no more than a small buffer holds. What is held grows with what is
///   really unread, a few KiB per connection, and the large buffers stay for those that return them.
/// - Memory in large buffers never exceeds `maximumLargeBuffers * largeCapacity` (16 MiB).
///
/// A lent chunk is memory of the pool until it is given back, even after the loop has closed: the return of a buffer
/// then frees it.
struct LentBufferPool: ~Copyable {
  /// What a stream of large messages fills: bulk data takes a quarter less time than with 64 KiB.
  static let largeCapacity = 256 * 1024
  static let smallCapacity = 4 * 1024
  static let maximumLargeBuffers = 64
  /// For chunks that are not shared: the C library maps and unmaps memory for each one that is larger than twice that.
  static let ownCapacity = 64 * 1024

  struct Buffer {
    var base: UnsafeMutableRawPointer
    /// The number of bytes that may be received into it.
    var capacity: Int
  }

  /// A stack of the buffers that are here; as large as it can get, so that it never grows.
  private let free = UnsafeMutablePointer<UnsafeMutableRawPointer>.allocate(capacity: maximumLargeBuffers)
  private var freeCount = 0
  private(set) var largeAllocated = 0
  private(set) var smallLent = 0
  private var isClosed = false

  private var isLow: Bool {
    freeCount + (Self.maximumLargeBuffers - largeAllocated) < Self.maximumLargeBuffers / 4
  }

  /// The number of large buffers lent out, or taken for a receive.
  var largeLent: Int { largeAllocated - freeCount }

  /// Take a buffer to receive into. Follow it by `lend` if bytes came, else by `giveBack`.
  @inline(__always)
  mutating func take() -> Buffer {
    guard freeCount > 0 else { return takeNew() }
    freeCount -= 1
    return Buffer(base: free[freeCount], capacity: isLow ? Self.smallCapacity : Self.largeCapacity)
  }

  private mutating func takeNew() -> Buffer {
    // Never out of buffers: when they run low, none leaves for longer than one receive.
    precondition(largeAllocated < Self.maximumLargeBuffers, "lent buffers: more were taken than the pool keeps")
    largeAllocated += 1
    let base = UnsafeMutableRawPointer.allocate(byteCount: Self.largeCapacity, alignment: 64)
    return Buffer(base: base, capacity: isLow ? Self.smallCapacity : Self.largeCapacity)
  }

  /// Lend a taken buffer into which bytes came: decides which memory is lent, and copies a short chunk if large buffers
  /// run low.
  @inline(__always)
  mutating func lend(_ buffer: Buffer, filled: Int) -> Buffer {
    guard buffer.capacity == Self.smallCapacity else { return buffer }
    let small = copy(UnsafeRawBufferPointer(start: buffer.base, count: filled))
    giveBackLarge(buffer.base)
    return small
  }

  /// Copy bytes into a buffer of the pool, or into one of just their size if large buffers run low.
  mutating func keep(_ bytes: UnsafeRawBufferPointer) -> Buffer {
    guard isLow || bytes.count > Self.largeCapacity else {
      let buffer = take()
      buffer.base.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
      return buffer
    }
    return copy(bytes)
  }

  /// Lend a copy of the bytes, in memory of just their size.
  private mutating func copy(_ bytes: UnsafeRawBufferPointer) -> Buffer {
    let small = UnsafeMutableRawPointer.allocate(byteCount: bytes.count, alignment: 16)
    small.copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
    smallLent += 1
    return Buffer(base: small, capacity: -1)
  }

  /// Free a buffer that comes back after the close. Any thread, and several at once: nothing of the pool changes then.
  /// Returns `false` before the close, and the buffer is to be given back.
  @inline(__always)
  func frees(_ base: UnsafeMutableRawPointer) -> Bool {
    if isClosed { base.deallocate() }
    return isClosed
  }

  /// Take back a buffer before the close. Its capacity says which kind it is: a negative one marks a copy.
  @inline(__always)
  mutating func giveBack(_ base: UnsafeMutableRawPointer, capacity: Int) {
    assert(!isClosed, "a buffer came back to a closed pool")
    if capacity < 0 {
      assert(smallLent > 0, "a copy of a chunk came back twice")
      smallLent -= 1
      base.deallocate()
    } else {
      giveBackLarge(base)
    }
  }

  @inline(__always)
  private mutating func giveBackLarge(_ base: UnsafeMutableRawPointer) {
    assert(freeCount < largeAllocated, "a lent buffer came back twice")
    free[freeCount] = base
    freeCount += 1
  }

  /// Free what is here; what is still lent is freed when it returns.
  mutating func deallocateAll() {
    isClosed = true
    for index in 0..<freeCount { free[index].deallocate() }
    largeAllocated -= freeCount
    freeCount = 0
  }

  deinit { free.deallocate() }
}
