internal import CAsyncIO
package import SystemPackage

// How readiness becomes operations.
//
// Each descriptor keeps two bits, "a receive may succeed" and "a send may succeed". A submit tries the system call
// when its bit is set and parks the operation when the bit is clear or the call would block; a report from the
// selector sets the bits and tries what is parked. Three rules keep this free of lost wake-ups and needless calls:
//
// - A short read of TCP means "drained", so the bit is cleared without the extra call that would return EAGAIN. With
//   edge triggering the next byte is a new edge. Two things end that, for good: an urgent byte, at which receives stop
//   while more is queued (requested and reported as `.urgent`, so it is known before the receive), and the peer's
//   hang-up, as the short read may hide the end of the stream. No new edge will come for either.
// - A short read of anything else means nothing: receives of Unix sockets stop at messages that carry descriptors,
//   those of pipes at packets, of sequenced packets at records, of terminals at lines. Before a wait, the system is
//   asked whether more is there. (A program that takes an urgent byte itself, by MSG_OOB, before the loop has seen it
//   hides it from the loop, and may wait for the next byte.)
// - A new descriptor is not readable until the selector says so, and is writable until a call says otherwise.
// - EAGAIN clears the bit and trusts the system to make a new edge. Linux keeps that: a stream socket returns EAGAIN
//   only with its receive queue, its accept queue or its send space empty, and whatever fills one reports it. (A tool
//   that injects EAGAIN into a ready socket eats an edge; the next byte or connection then brings the work on.)
// - Hang-up and error set both bits and try both operations: the calls themselves say what happened.
//
// Lent receives are not read when they become ready but when their task (or handler) comes to fetch them: a burst of a
// thousand ready connections then goes through one buffer that stays in the cache instead of a thousand.

/// The backend of ``SelectorEventLoop``: turns what an ``IOSelector`` reports into completions.
///
/// Thread rules as for ``IOBackend``: that is what makes the unchecked conformance right.
package final class SelectorBackend: IOBackend, @unchecked Sendable {
  let selector: any IOSelector
  /// The process that the selector's registrations are of.
  @exclusivity(unchecked) var forkGeneration = casyncio_fork_generation()
  @exclusivity(unchecked) var pool = LentBufferPool()
  /// Reports of one poll. Few, so that what a report touches is still in the nearest caches when its task runs.
  private let events = UnsafeMutableBufferPointer<SelectorEvent>.allocate(capacity: 64)
  @exclusivity(unchecked) private var waitHook: WaitHook?
  let isEdgeTriggered: Bool
  /// A receive may stop at an urgent byte that was not reported, and no state is reported either.
  let missesUrgentData: Bool
  /// Ends are reported of a descriptor that nobody reads.
  let reportsEnds: Bool

  /// Registered descriptors by number, each retained once.
  @exclusivity(unchecked) var slots: [Unmanaged<IODescriptor>?] = []
  /// True if a descriptor left while the current batch was delivered: a stale event in it is not a ghost.
  @exclusivity(unchecked) var detachedInBatch = false
  @exclusivity(unchecked) var ghosts = 0

  /// - Parameter selector: the mechanism, which the backend then owns.
  package init(_ selector: any IOSelector) {
    self.selector = selector
    isEdgeTriggered = selector.supportsEdgeTriggering
    reportsEnds = isEdgeTriggered || selector is any EndReportingSelector
    missesUrgentData = isEdgeTriggered && !selector.reportsUrgentData
  }

  deinit { events.deallocate() }

  /// The name of the selector.
  package var name: String { selector.name }

  /// What a selector can do; exact waits if this one has them.
  package var capabilities: IOCapabilities {
    var offered: IOCapabilities = [
      .descriptorWatches, .streamSockets, .datagrams, .systemDescriptors, .unixSockets, .threads, .systemClock,
      .immediateReceives,
    ]
    if casyncio_polls_sockets_only() == 0 { offered.insert(.pipes) }
    if selector.hasSubMillisecondWaits { offered.insert(.subMillisecondWaits) }
    return offered
  }

  /// Begin anew in the child of a fork: a selector belongs to no thread, but to a process.
  package func runWillBegin() throws(Errno) { _ = try ownSelector() }
  /// Do nothing: what waits is still registered.
  package func runDidEnd() {}
  /// End the current or the next wait. Any thread, even a signal handler.
  package func wake() { selector.wake() }

  // MARK: Waiting

  /// Wait for readiness, try the calls that waited for it and complete those that succeed.
  package func poll(timeout: Int64) throws(Errno) {
    detachedInBatch = false
    let n = try wait(timeout)
    for i in 0..<n {
      let event = events[i]
      let fd = Int(event.token & 0xFFFF_FFFF)
      guard fd < slots.count, let slot = slots[fd] else {
        noteGhost()
        continue
      }
      slot._withUnsafeGuaranteedRef { descriptor in
        if descriptor.token == event.token { deliver(event.flags, to: descriptor) } else { noteGhost() }
      }
    }
    if ghosts >= Self.ghostLimit { exorcise() }
  }

  @inline(__always)
  private func wait(_ timeout: Int64) throws(Errno) -> Int {
    guard timeout != 0, let waitHook else { return try selector.select(timeout: timeout, into: events) }
    return try waitHook.around { () throws(Errno) in try selector.select(timeout: timeout, into: events) }
  }

  package func setWaitHook(_ hook: WaitHook?) -> Bool {
    waitHook = hook
    return true
  }

  @inline(__always)
  private func deliver(_ flags: SelectorFlags, to descriptor: IODescriptor) {
    let failed = !flags.isDisjoint(with: [.hangup, .error])
    let readable = failed || flags.contains(.readable)
    let writable = flags.contains(.writable) || flags.contains(.error) || flags.contains(.hangup)
    if descriptor.isWatch { return descriptor.deliverWatch(readable: readable, writable: writable) }
    if !flags.isDisjoint(with: [.hangup, .error, .urgent]) { noteTrouble(flags, descriptor) }
    if readable {
      descriptor.isReadable = true
      descriptor.isInDoubt = false
    }
    if writable { descriptor.isWritable = true }
    if failed, descriptor.endObserver != nil, descriptor.reading == nil, isNews(descriptor) {
      return deliverEnd(descriptor, writable)
    }
    // A completion may release the descriptor, so nothing touches it afterwards.
    if readable, descriptor.reading != nil {
      if writable, descriptor.writing != nil { return deliverBoth(descriptor) }
      serveReading(descriptor)
    } else if writable {
      serveWriting(descriptor)
    }
  }

  /// Note that a short read says nothing any more.
  private func noteTrouble(_ flags: SelectorFlags, _ descriptor: IODescriptor) {
    if flags.contains(.urgent) { descriptor.shortReadsDrain = false }
    if !flags.isDisjoint(with: [.hangup, .error]) { descriptor.isHungUp = true }
  }

  private func deliverBoth(_ descriptor: IODescriptor) {
    let held = Unmanaged.passRetained(descriptor)
    defer { held.release() }
    serveReading(descriptor)
    serveWriting(descriptor)
  }

  @inline(__always)
  private func serveReading(_ descriptor: IODescriptor) {
    descriptor.reading?._withUnsafeGuaranteedRef { operation in
      guard attempt(operation) else { return }
      descriptor.reading = nil
      refreshInterest(descriptor)
      operation.complete(operation.result)
    }
  }

  @inline(__always)
  func serveWriting(_ descriptor: IODescriptor) {
    descriptor.writing?._withUnsafeGuaranteedRef { operation in
      guard attempt(operation) else { return }
      descriptor.writing = nil
      refreshInterest(descriptor)
      operation.complete(operation.result)
    }
  }

  /// True where the kernel keeps registrations: it knows by which file it has one.
  package var knowsWatchedFiles: Bool { isEdgeTriggered }

  /// Ask the kernel if it knows, else compare the files.
  package func namesWatchedFile(_ descriptor: IODescriptor) -> Bool {
    guard isEdgeTriggered, descriptor.isRegistered else { return descriptor.isSameFile }
    return selector.namesRegisteredFile(
      descriptor.fileDescriptor, interest: interest(of: descriptor), token: descriptor.token)
  }

  /// Reset the selector: a kernel that keeps registrations would report for ever, and only forgetting them all ends
  /// that.
  package func watchIsLost(_ descriptor: IODescriptor) {
    detach(descriptor, closing: false)
    if isEdgeTriggered { ghosts = Self.ghostLimit }
  }

  // MARK: Operations

  /// Try the call if the descriptor may be ready; otherwise wait for a report.
  @inline(__always)
  package func submit(_ operation: IOOperation) -> Bool {
    operation.descriptor.assertLoopThread()
    assert(operation.state != .inFlight, "an operation in flight was submitted again")
    let descriptor = operation.descriptor
    switch operation.kind {
    case .receive, .receiveLent, .accept, .read, .ready, .receiveFrom:
      if descriptor.isReadable && attempt(operation) { return finished(operation) }
      precondition(descriptor.reading == nil, "two operations wait to read one descriptor")
      descriptor.reading = .passUnretained(operation)
    case .send, .connect, .write, .writable, .sendTo:
      if descriptor.isWritable && attempt(operation) { return finished(operation) }
      precondition(descriptor.writing == nil, "two operations wait to write one descriptor")
      descriptor.writing = .passUnretained(operation)
    case .flush:
      // Nothing is kept here.
      operation.result = 0
      return finished(operation)
    }
    operation.state = .inFlight
    if !descriptor.isRegistered || !isEdgeTriggered { return registerParked(operation) }
    return false
  }

  @inline(__always)
  private func finished(_ operation: IOOperation) -> Bool {
    operation.state = .done
    return true
  }

  /// Register the first wait of a descriptor, or any wait of a level-triggered selector.
  private func registerParked(_ operation: IOOperation) -> Bool {
    let descriptor = operation.descriptor
    do {
      try register(descriptor)
      return false
    } catch {
      if operation.isParked(in: descriptor.reading) { descriptor.reading = nil } else { descriptor.writing = nil }
      operation.result = -Int(error.rawValue)
      return finished(operation)
    }
  }

  /// Complete a waiting operation with `-ECANCELED`.
  package func cancel(_ operation: IOOperation) {
    let descriptor = operation.descriptor
    if operation.isParked(in: descriptor.reading) {
      descriptor.reading = nil
    } else if operation.isParked(in: descriptor.writing) {
      descriptor.writing = nil
    } else {
      return
    }
    refreshInterest(descriptor)
    operation.complete(-Int(ECANCELED))
  }

  // MARK: Lent receiving

  /// Receive into a buffer of the pool. Returns `false` if nothing was there.
  @inline(__always)
  package func claimLent(_ operation: IOOperation) -> Bool {
    let descriptor = operation.descriptor
    let buffer = pool.take()
    let n = receive(descriptor, buffer.base, buffer.capacity)
    if n > 0 {
      let lent = pool.lend(buffer, filled: n)
      operation.buffer = lent.base
      operation.count = lent.capacity
      operation.result = n
      return true
    }
    pool.giveBack(buffer.base, capacity: buffer.capacity)
    operation.buffer = nil
    operation.result = n
    return n != -Int(EAGAIN)
  }

  /// Give the buffer back to the pool.
  @inline(__always)
  package func returnLent(_ operation: IOOperation) {
    guard let buffer = operation.buffer else { return }
    operation.buffer = nil
    if !pool.frees(buffer) { pool.giveBack(buffer, capacity: operation.count) }
  }
}
