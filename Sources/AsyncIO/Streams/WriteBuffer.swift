/// What several tasks write, on its way to one connection: the batch that is collected, the one that is under way, and
/// the tasks that wait. The mutations return which tasks to resume with what; the caller does that outside of the lock.
///
/// The traps:
///
/// - A task that waits for room keeps its bytes, and they are copied when there is room for them, under the lock, while
///   the task is still suspended. If it appended them itself after it was resumed, another task could come between.
/// - No write overtakes: while one waits, a small one that would fit also waits.
/// - A failure comes to the task that sends. The writes that it concerns have returned; so it is kept and thrown by
///   every call from then on.
struct WriteBuffer: Sendable {
  typealias Writer = Waiters<Result<Void, any Error>>.Continuation
  typealias Flusher = Waiters<Result<Bool, any Error>>.Continuation

  struct Actions {
    var written: [Writer] = []
    var flushed: [Flusher] = []
    var failure: (any Error)?

    func perform() {
      for writer in written { writer.resume(returning: failure.map { .failure($0) } ?? .success(())) }
      // Each looks for itself whether its bytes are gone.
      for flusher in flushed { flusher.resume(returning: failure.map { .failure($0) } ?? .success(false)) }
    }
  }

  let limit: Int
  /// What has been collected and not given to the system.
  private var batch: [UInt8] = []
  /// Bytes that the system is taking.
  private var underWay = 0
  /// How many bytes were ever collected, and how many of them the system has.
  private(set) var collected: UInt64 = 0
  private var gone: UInt64 = 0
  private var isSending = false
  /// Why nothing more is taken. What has been collected may still be on its way.
  private var refusal: (any Error)?
  /// Why nothing more leaves.
  private var failure: (any Error)?
  private var writers = Waiters<Result<Void, any Error>>()
  /// The bytes of the tasks that wait to write, by the numbers of their waits.
  private var offers: [UInt64: LentBytes] = [:]
  private var offerOrder = FirstInFirstOut<UInt64>()
  private var flushers = Waiters<Result<Bool, any Error>>()
  var numbers = WaitNumbers()

  init(limit: Int) { self.limit = limit }

  // MARK: Writing

  /// Collect the bytes, or let the task wait for room. `begins` is true if a task has to be started that sends.
  mutating func enterWriter(
    _ id: UInt64, _ writer: Writer, _ bytes: LentBytes
  ) -> (admission: Admission<Result<Void, any Error>>, begins: Bool) {
    if let error = failure ?? refusal { return (.now(.failure(error)), false) }
    guard offers.isEmpty, hasRoom(for: bytes) else {
      writers.append(id, writer)
      offers[id] = bytes
      offerOrder.append(id)
      return (.waits, false)
    }
    collect(bytes)
    defer { isSending = isSending || !batch.isEmpty }
    return (.now(.success(())), !isSending && !batch.isEmpty)
  }

  mutating func leaveWriter(_ id: UInt64) -> Writer? {
    offers[id] = nil
    if offerOrder.count > 2 * offers.count + 32 { offerOrder.keep { offers[$0] != nil } }
    return writers.remove(id)
  }

  /// A single write may be longer than the limit; the rest may not be together. A difference, because the limit may be
  /// any number.
  private func hasRoom(for bytes: LentBytes) -> Bool {
    let waiting = batch.count + underWay
    return waiting == 0 || bytes.memory.isEmpty || (waiting < limit && bytes.memory.count <= limit - waiting)
  }

  private mutating func collect(_ bytes: LentBytes) {
    batch.append(contentsOf: bytes.memory)
    collected &+= UInt64(bytes.memory.count)
  }

  // MARK: Flushing

  /// Pass if the system has all bytes up to the target.
  mutating func enterFlusher(
    _ id: UInt64, _ flusher: Flusher, _ target: UInt64
  ) -> Admission<Result<Bool, any Error>> {
    if let failure { return .now(.failure(failure)) }
    if gone >= target { return .now(.success(true)) }
    flushers.append(id, flusher)
    return .waits
  }

  mutating func leaveFlusher(_ id: UInt64) -> Flusher? { flushers.remove(id) }

  // MARK: Sending

  /// Take what has been collected; nil if there is nothing, and the task that sends ends.
  mutating func nextBatch() -> [UInt8]? {
    assert(isSending && underWay == 0, "two tasks send for one writer")
    guard !batch.isEmpty else {
      isSending = false
      return nil
    }
    var next: [UInt8] = []
    swap(&next, &batch)
    underWay = next.count
    return next
  }

  /// Note that the system has the batch, and collect what waits for room.
  mutating func sent(_ sent: consuming [UInt8]) -> Actions {
    gone &+= UInt64(underWay)
    underWay = 0
    if batch.isEmpty, sent.capacity <= 128 * 1024 {
      // Its memory serves the next one.
      sent.removeAll(keepingCapacity: true)
      swap(&batch, &sent)
    }
    var actions = Actions()
    while let id = offerOrder.first {
      if let bytes = offers[id] {
        guard hasRoom(for: bytes) else { break }
        collect(bytes)
        offers[id] = nil
        if let writer = writers.remove(id) { actions.written.append(writer) }
      }
      _ = offerOrder.popFirst()
    }
    actions.flushed = flushers.removeAll()
    return actions
  }

  /// Drop everything: nothing more leaves.
  mutating func failed(_ error: any Error) -> Actions {
    failure = error
    batch = []
    underWay = 0
    var actions = refuse(error)
    actions.flushed = flushers.removeAll()
    return actions
  }

  /// Take nothing more. What has been collected is still sent.
  mutating func refuse(_ error: any Error) -> Actions {
    refusal = refusal ?? error
    offers = [:]
    offerOrder = FirstInFirstOut()
    return Actions(written: writers.removeAll(), failure: error)
  }
}
