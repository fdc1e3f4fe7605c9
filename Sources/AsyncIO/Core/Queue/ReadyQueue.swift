internal import CAsyncIO

/// What a loop has to run or to do, in one machine word.
///
/// Objects are aligned to 16 bytes, as malloc(3) promises, which leaves four bits for the kind of the word. Jobs of the
/// Swift runtime are as well, which nobody promises: if ``RuntimeKnowledge`` says that they are not, each is put into
/// an object. Words that refer to objects own one reference.
struct LoopWord {
  enum Tag: UInt {
    /// A job that came in through the task facade.
    case taskJob = 0
    /// A job that came in through the serial facade.
    case serialJob = 1
    /// A job that a ``LoopRouter`` has brought.
    case routedJob = 2
    /// A ``BoxedJob``, in place of any of these.
    case boxedJob = 3
    /// A ``Handle`` to run.
    case handle = 4
    /// A ``TimerHandle`` to put into the heap, or to take out if it was cancelled. Inbox only.
    case timer = 5
    /// An ``IOOperation`` to submit. Inbox only.
    case submit = 6
    /// An ``IODescriptor`` to close. Inbox only.
    case closeDescriptor = 7
    /// A ``PostedAction`` to run at once. Inbox only.
    case action = 8
    /// A ``TimerNode`` that waits for its time. Heap of timers only.
    case node = 9
    /// A callback of another runtime, see `Embedding.swift`: not an object of Swift's.
    case embedded = 10
    /// The timer of a ``TimerToken``, by its place: not an object. Heap of timers and ready queue.
    case token = 11
    /// The next one of the callbacks without handles: not an object.
    case posted = 12
  }

  let bits: UInt

  @inline(__always)
  init(bits: UInt) { self.bits = bits }

  @inline(__always)
  init(_ job: UnownedJob, _ tag: Tag) {
    self = casyncio_boxes_jobs() ? Self.boxed(job, tag) : LoopWord(plain: job, tag)
  }

  // Not inlined: what it needs would be saved and restored for every job.
  @inline(never)
  private static func boxed(_ job: UnownedJob, _ tag: Tag) -> LoopWord { LoopWord(BoxedJob(job, tag), .boxedJob) }

  @inline(__always)
  private init(plain job: UnownedJob, _ tag: Tag) { bits = unsafeBitCast(job, to: UInt.self) | tag.rawValue }

  /// Name the place of a token.
  @inline(__always)
  init(token place: Int) { bits = UInt(bitPattern: place) << 4 | Tag.token.rawValue }

  /// A callback without a handle.
  static var posted: LoopWord { LoopWord(bits: Tag.posted.rawValue) }

  /// The place of a token.
  @inline(__always)
  var place: Int { Int(bitPattern: bits >> 4) }

  /// Take a reference of its own.
  @inline(__always)
  init(_ object: some AnyObject, _ tag: Tag) {
    bits = UInt(bitPattern: Unmanaged.passRetained(object).toOpaque()) | tag.rawValue
  }

  /// Take over a reference.
  @inline(__always)
  init<T: AnyObject>(owned object: Unmanaged<T>, _ tag: Tag) {
    bits = UInt(bitPattern: object.toOpaque()) | tag.rawValue
  }

  @inline(__always)
  var rawTag: UInt { bits & 15 }
  var tag: Tag { Tag(rawValue: rawTag)! }
  /// A job of the Swift runtime, in whatever role it came.
  @inline(__always)
  var isJob: Bool { rawTag <= Tag.boxedJob.rawValue }
  /// A job whose address is in the word.
  @inline(__always)
  var isPlainJob: Bool { rawTag <= Tag.routedJob.rawValue }

  /// The job of a word that has its address.
  @inline(__always)
  var plainJob: UnownedJob { unsafeBitCast(bits & ~15, to: UnownedJob.self) }

  /// Take a job out of its word, with the role in which it came. The word is used up.
  func takeJob() -> (job: UnownedJob, role: Tag) {
    if isPlainJob { return (plainJob, tag) }
    let box = object(BoxedJob.self)
    return (box.job, box.role)
  }

  /// The address of the job, to compare it with those of tasks; nil if the job is in a box.
  var jobAddress: UInt? { isPlainJob ? bits & ~15 : nil }

  /// The address of what is not an object.
  @inline(__always)
  var pointer: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: bits & ~15)! }

  @inline(__always)
  func unmanaged<T: AnyObject>(_: T.Type) -> Unmanaged<T> { .fromOpaque(UnsafeRawPointer(bitPattern: bits & ~15)!) }

  /// Give up the word's reference to the caller.
  @inline(__always)
  func object<T: AnyObject>(_ type: T.Type) -> T { unmanaged(type).takeRetainedValue() }

  /// Do something with the object, whose reference stays with the word.
  @inline(__always)
  func withObject<T: AnyObject>(_ type: T.Type, _ body: (T) -> Void) {
    unmanaged(type)._withUnsafeGuaranteedRef(body)
  }
}

/// A job whose address has no bits for a tag.
final class BoxedJob {
  let job: UnownedJob
  let role: LoopWord.Tag

  init(_ job: UnownedJob, _ role: LoopWord.Tag) { (self.job, self.role) = (job, role) }
}

/// The queue of a loop's own thread: a ring of words that grows. First in, first out; no locks, no checks.
struct ReadyQueue: ~Copyable {
  /// The number of words from which on it pays to prefetch the next one: fewer stay in the cache by themselves.
  static var crowd: Int { 64 }

  /// True if it is known where a task has its frame.
  let knowsFrames = RuntimeKnowledge.taskFrames.isInUse
  private var storage: UnsafeMutablePointer<UInt>
  private var mask: Int
  private var head = 0
  private var tail = 0

  init() {
    mask = 255
    storage = .allocate(capacity: 256)
  }

  deinit { storage.deallocate() }

  @inline(__always)
  var count: Int { tail &- head }
  @inline(__always)
  var isEmpty: Bool { tail == head }
  /// The number of words pushed so far: the places go on counting, even when the ring grows.
  var pushed: Int { tail }

  @inline(__always)
  mutating func push(_ word: LoopWord) {
    if count > mask { grow() }
    storage[tail & mask] = word.bits
    tail &+= 1
  }

  /// Take over what another queue has, after what is here.
  mutating func append(_ other: inout ReadyQueue) {
    while !other.isEmpty { push(other.pop()) }
  }

  @inline(__always)
  mutating func pop() -> LoopWord {
    assert(!isEmpty)
    let bits = storage[head & mask]
    head &+= 1
    return LoopWord(bits: bits)
  }

  /// The word that `pop` would return.
  @inline(__always)
  var first: LoopWord { LoopWord(bits: storage[head & mask]) }

  /// Prefetch the jobs after the first one, while the first one runs: the task two entries ahead, and the frame of the
  /// next one. Entries that are no longer there are old words, and prefetching what they refer to does no harm; only
  /// jobs are followed, and only those that are queued. For queues that know where frames are.
  @inline(__always)
  func prefetchNext() {
    guard count > 2 else { return }
    // Handles of callbacks are small, and used again.
    let next = storage[(head &+ 1) & mask]
    guard LoopWord(bits: next).isPlainJob else { return }
    casyncio_prefetch_frame(UnsafeRawPointer(bitPattern: next & ~15)!)
    let task = UnsafeRawPointer(bitPattern: storage[(head &+ 2) & mask] & ~15)
    casyncio_prefetch(task)
    casyncio_prefetch(task.map { $0 + 64 })
    casyncio_prefetch(task.map { $0 + 128 })
  }

  /// Look at the words that wait, until the body returns `false`.
  func look(_ body: (UInt) -> Bool) -> Bool { (head..<tail).allSatisfy { body(storage[$0 & mask]) } }

  /// The addresses of the jobs that wait, at most `limit` of them.
  func jobAddresses(_ limit: Int) -> Set<UInt> {
    Set(
      (head..<min(tail, head + limit)).compactMap { LoopWord(bits: storage[$0 & mask]) }.compactMap { word in
        word.isPlainJob ? word.jobAddress : nil
      })
  }

  /// Shuffle the jobs by a seed; callbacks keep their order and their places.
  mutating func shuffleJobs(_ seed: UInt64) {
    var state = seed
    // The places of the jobs: without callbacks, which is the rule, a job's place is its place in the queue.
    var places: [Int] = []
    var isMixed = false
    var jobs = 0
    for place in head..<tail {
      guard LoopWord(bits: storage[place & mask]).isJob else {
        if !isMixed { places = Array(head..<place) }
        isMixed = true
        continue
      }
      if isMixed { places.append(place) }
      jobs += 1
      // Knuth's linear congruential generator; its upper half is random enough for an order.
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let chosen = Int((state >> 33) % UInt64(jobs))
      let (a, b) = (place & mask, (isMixed ? places[chosen] : head + chosen) & mask)
      (storage[a], storage[b]) = (storage[b], storage[a])
    }
  }

  private mutating func grow() {
    let capacity = mask + 1
    let larger = UnsafeMutablePointer<UInt>.allocate(capacity: capacity * 2)
    let largerMask = capacity * 2 - 1
    for i in head..<tail { larger[i & largerMask] = storage[i & mask] }
    storage.deallocate()
    storage = larger
    mask = largerMask
  }
}
