internal import CAsyncIO
package import SystemPackage

// How operations meet a completion port. The traps:
//
// - The ring belongs to the thread that runs the loop, and to no other one after it. So it is made when a run begins
//   and given back when the run returns: by then everything was cancelled and has ended. What did not complete is
//   recorded again and starts with the next run, on whatever thread. Between runs there is no ring, and nothing can
//   reach it.
// - A number may be reused while the system still works on what it stood for. So a descriptor's number is closed when
//   the last of its records has ended, one turn after the close in most cases.
// - A lent receive goes on after an event, so bytes come even while no task waits for them. They are queued, and a
//   stream that queues too much is paused by ending its receive. Cancelling a wait for lent bytes therefore removes
//   only the waiting: no byte can get lost.
// - Lent memory can run out if many connections hold their chunks. Then receives wait for readiness instead and fetch
//   their bytes as the selector backend does, into memory that grows with what is really held. So no connection
//   starves.

/// The backend of ``ProactorEventLoop``: passes operations to the kernel's completion port.
///
/// Thread rules as for ``IOBackend``: that is what makes the unchecked conformance right.
package final class ProactorBackend: IOBackend, @unchecked Sendable {
  let port: OpaquePointer
  let lent: OpaquePointer
  /// For receives after readiness, see above.
  @exclusivity(unchecked) var pool = LentBufferPool()

  /// The process that made the ring.
  @exclusivity(unchecked) private var forkGeneration = casyncio_fork_generation()
  /// True in the child of a fork: the ring's memory stayed with the parent, and so does what is in flight.
  private var isForked: Bool { forkGeneration != casyncio_fork_generation() }
  @exclusivity(unchecked) private var waitHook: WaitHook?
  private static let eventCapacity = 128
  private let events: UnsafeMutablePointer<casyncio_event>

  /// Descriptors in care by number, each retained once.
  @exclusivity(unchecked) var slots: [Unmanaged<IODescriptor>?] = []
  /// Memory for small writes.
  @exclusivity(unchecked) var blocks = OutboxBlocks()
  /// Closed connections with bytes on their way: those of this turn; and those whose peers are slow, the earliest
  /// first.
  @exclusivity(unchecked) var closed: [ProactorStream.Pointer] = []
  @exclusivity(unchecked) var lingering: [Lingering] = []
  /// True if one of the latter has sent its last byte.
  @exclusivity(unchecked) var hasLingered = false
  /// How long a closed connection may take to send its last bytes, in nanoseconds. Set before the first run.
  var lingerTime: Int64 = 30_000_000_000
  /// Streams that were detached and are still with the system.
  @exclusivity(unchecked) var leaving: Set<ProactorStream.Pointer> = []
  /// Streams whose input has ended while their bytes are on their way.
  @exclusivity(unchecked) var heldEnds: [HeldEnd] = []
  /// Watches that have reported and wait to be armed again.
  @exclusivity(unchecked) var watchesToArm: [ProactorStream.Pointer] = []
  /// True while a thread drives the port and operations can start.
  @exclusivity(unchecked) var isStarted = false
  @exclusivity(unchecked) var hasLent = false
  private var isClosed = false

  /// Create a backend. It takes a ring when a run begins; ``ProactorDetection`` says beforehand whether that will work.
  package convenience init() throws(Errno) { try self.init(options: casyncio_port_options()) }

  init(options: casyncio_port_options) throws(Errno) {
    var options = options
    var made: OpaquePointer?
    let error = casyncio_port_create(&options, &made)
    guard let made else { throw Errno(rawValue: -error) }
    port = made
    lent = casyncio_port_lent(made)
    // Last: an initializer that throws frees no memory that it has allocated by hand.
    events = .allocate(capacity: Self.eventCapacity)
  }

  deinit {
    events.deallocate()
    if !isClosed { casyncio_port_destroy(port) }
  }

  /// "io_uring".
  package var name: String { String(cString: casyncio_port_name()) }

  /// All capabilities there are.
  package var capabilities: IOCapabilities {
    [
      .descriptorWatches, .streamSockets, .pipes, .datagrams, .systemDescriptors, .unixSockets, .threads,
      .systemClock,
      .subMillisecondWaits,
    ]
  }

  // MARK: Runs

  /// Make the ring, and start what was recorded between runs. Throws the errno of the step that failed.
  package func runWillBegin() throws(Errno) {
    var step: Int32 = 0
    let error = casyncio_port_begin(port, &step)
    guard error == 0 else { throw Errno(rawValue: -error) }
    forkGeneration = casyncio_fork_generation()
    hasLent = casyncio_port_features(port) & UInt32(CASYNCIO_PORT_LENT) != 0
    isStarted = true
    for case let slot? in slots {
      guard let stream = slot._withUnsafeGuaranteedRef({ $0.stream }) else { continue }
      startRecorded(stream)
    }
  }

  /// Start what waits on a stream and is not with the system.
  private func startRecorded(_ stream: ProactorStream.Pointer) {
    let isWatch = stream.pointee.descriptor._withUnsafeGuaranteedRef { $0.isWatch }
    if isWatch { return armWatch(stream) }
    if stream.pointee.reading != nil {
      startReading(stream)
    } else if stream.pointee.descriptor._withUnsafeGuaranteedRef({ $0.endObserver != nil }) {
      receiveAhead(stream)
    }
    startWriting(stream)
  }

  /// Cancel what the system has, wait until that has ended, and give the ring back. What did not complete is kept.
  package func runDidEnd() {
    // Sends that the system takes at once are gone before anything is cancelled.
    var isAlive = !isForked && deliverEvents(timeout: 0)
    isStarted = false
    forgetWatchesToArm()
    if !isForked { casyncio_port_cancel_all(port) }
    // Bounded, because every operation that a cancel can reach ends soon; what is at work in the system ends by itself.
    while isAlive && casyncio_port_in_flight(port) > 0 { isAlive = deliverEvents(timeout: 1_000_000_000) }
    casyncio_port_end(port, isAlive ? 0 : isForked ? 2 : 1)
    if !isAlive { takeBack() }
    releaseAllEnds()
    endLingering()
  }

  /// Take everything back: the system has stopped answering. The ring is gone, and with it what it worked on.
  private func takeBack() {
    let attached = slots.compactMap { slot in slot?._withUnsafeGuaranteedRef { $0.stream } }
    for stream in attached + leaving {
      (stream.pointee.isReceiving, stream.pointee.isSending) = (false, false)
      (stream.pointee.receiving.in_flight, stream.pointee.sending.in_flight) = (0, 0)
    }
    for stream in leaving {
      if let operation = stream.pointee.reading?.takeUnretainedValue() { cancelReading(operation, stream) }
      if let operation = stream.pointee.writing?.takeUnretainedValue() { cancelWriting(operation, stream) }
      if stream.pointee.pins == 0 { stream.pointee.outbox.removeAll(&blocks) }
      freeIfEnded(stream)
    }
  }

  // MARK: Waiting

  /// Submit what is queued, wait, and deliver events.
  package func poll(timeout: Int64) throws(Errno) {
    if !watchesToArm.isEmpty { armWatches() }
    var wait = closed.isEmpty && lingering.isEmpty ? timeout : boundByLingering(timeout)
    if !heldEnds.isEmpty { wait = 0 }
    let n = reap(wait)
    guard n >= 0 else { throw Errno(rawValue: -n) }
    deliver(Int(n))
    if !heldEnds.isEmpty { releaseEnds(sawEverything: n < Self.eventCapacity) }
    if !closed.isEmpty || !lingering.isEmpty { checkLingering() }
    assert(casyncio_lent_is_sound(lent) != 0, "lent memory: a buffer is neither with the system nor in use")
  }

  @inline(__always)
  private func reap(_ timeout: Int64) -> Int32 {
    guard timeout != 0, let waitHook else {
      return casyncio_port_reap(port, events, UInt32(Self.eventCapacity), timeout)
    }
    return waitHook.around { casyncio_port_reap(port, events, UInt32(Self.eventCapacity), timeout) }
  }

  package func setWaitHook(_ hook: WaitHook?) -> Bool {
    waitHook = hook
    return true
  }

  /// Deliver events. Returns `false` if the system has stopped answering.
  private func deliverEvents(timeout: Int64) -> Bool {
    let n = casyncio_port_reap(port, events, UInt32(Self.eventCapacity), timeout)
    if n > 0 { deliver(Int(n)) }
    return n >= 0
  }

  @inline(__always)
  private func deliver(_ n: Int) {
    for i in 0..<n {
      let event = events[i]
      // Right because a record's owner is the stream that it is part of, which lives as long as it is with the system.
      let stream = event.record.pointee.owner!.assumingMemoryBound(to: ProactorStream.self)
      let isLast = event.flags & UInt32(CASYNCIO_EVENT_MORE) == 0
      if event.record == stream.receivingRecord {
        if isLast { stream.pointee.isReceiving = false }
        received(event, stream)
      } else {
        if isLast { stream.pointee.isSending = false }
        sent(event, stream)
      }
    }
  }

  /// End the current or the next wait. Any thread, even a signal handler.
  package func wake() { casyncio_port_wake(port) }

  // MARK: Operations

  /// Take what is queued for the descriptor, or queue the operation for the ring.
  @inline(__always)
  package func submit(_ operation: IOOperation) -> Bool {
    operation.descriptor.assertLoopThread()
    assert(operation.state != .inFlight, "an operation in flight was submitted again")
    let stream = self.stream(of: operation.descriptor)
    switch operation.kind {
    case .receiveLent, .receive, .accept, .read, .ready:
      if stream.pointee.hasInput && !defersEnd(stream) && takeInput(operation, stream) { return true }
      precondition(stream.pointee.reading == nil, "two operations wait to read one descriptor")
      stream.pointee.reading = .passUnretained(operation)
      operation.state = .inFlight
      if isStarted && !stream.pointee.isReceiving { startReading(stream) }
    case .receiveFrom: return submitReceiveFrom(operation, stream)
    case .send, .connect, .write: return submitWrite(operation, stream)
    case .writable, .sendTo: return submitWhenWritable(operation, stream)
    case .flush: return submitFlush(operation, stream)
    }
    return false
  }

  /// End the wait. A lent receive itself goes on, so no byte is lost.
  package func cancel(_ operation: IOOperation) {
    guard let stream = operation.descriptor.stream else { return }
    if operation.isParked(in: stream.pointee.reading) {
      cancelReading(operation, stream)
    } else if operation.isParked(in: stream.pointee.writing) {
      cancelWriting(operation, stream)
    }
  }

  /// Send what can be sent at once, end all operations and destroy the port. Lent chunks may come back later.
  package func close() {
    for index in slots.indices {
      guard let descriptor = slots[index]?.takeUnretainedValue() else { continue }
      descriptor.watch = nil
      // Not in the child of a fork: its parent sends them.
      if let stream = descriptor.stream, !isForked { sendNow(stream) }
      detach(descriptor, closing: false)
    }
    pool.deallocateAll()
    // Now, before the backend goes: from here on lent chunks come back from any thread, and the port has to know.
    isClosed = true
    casyncio_port_destroy(port)
  }
}
