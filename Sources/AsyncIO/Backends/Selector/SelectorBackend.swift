internal import CAsyncIO
public import SystemPackage

// How readiness becomes operations.
//
// Each descriptor keeps two bits, "a receive may succeed" and "a send may succeed". A submit tries the system call
// when its bit is set and parks the operation when the bit is clear or the call would block; a report from the
// selector sets the bits and tries what is parked. Three rules keep this free of lost wake-ups and needless calls:
//
// - A short read of a socket means "drained", so the bit is cleared without the extra call that would answer EAGAIN.
//   With edge triggering the next byte is a new edge. Once the peer has hung up the rule is off: the end of the
//   stream may hide behind the short read and no new edge will come for it.
// - A new descriptor is not readable until the selector says so, and is writable until a call says otherwise.
// - Hang-up and error set both bits and try both operations: the calls themselves say what happened.
//
// Lent receives are not read when they become ready but when their task (or handler) comes to fetch them: a burst of
// a thousand ready connections then goes through one buffer that stays in the cache, not through a thousand.

/// The backend of ``SelectorEventLoop``: turns what an ``IOSelector`` reports into completions.
///
/// Thread rules as for ``IOBackend``: that is what makes the unchecked conformance right.
public final class SelectorBackend: IOBackend, @unchecked Sendable {
  let selector: any IOSelector
  @exclusivity(unchecked) private var pool = LentBufferPool()
  private let events = UnsafeMutableBufferPointer<SelectorEvent>.allocate(capacity: 1024)
  private let isEdgeTriggered: Bool
  private let sendFlags = casyncio_send_flags()

  /// Registered descriptors by number, each retained once.
  @exclusivity(unchecked) private var slots: [Unmanaged<IODescriptor>?] = []
  /// A descriptor left while the current batch was delivered: a stale event in it is no ghost.
  @exclusivity(unchecked) private var detachedInBatch = false
  @exclusivity(unchecked) private var ghosts = 0

  /// - Parameter selector: the mechanism; the backend owns it from here on.
  public init(_ selector: any IOSelector) {
    self.selector = selector
    isEdgeTriggered = selector.supportsEdgeTriggering
  }

  deinit { events.deallocate() }

  public var name: String { selector.name }

  public var capabilities: IOCapabilities {
    var offered: IOCapabilities = [.descriptorWatches, .streamSockets]
    if selector.hasSubMillisecondWaits { offered.insert(.subMillisecondWaits) }
    return offered
  }

  public func runWillBegin() throws(Errno) {}
  public func runDidEnd() {}
  public func wake() { selector.wake() }

  // MARK: Waiting

  public func poll(timeout: Int64) throws(Errno) {
    detachedInBatch = false
    let n = try selector.select(timeout: timeout, into: events)
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
    if ghosts >= 16 { try exorcise() }
  }

  @inline(__always)
  private func deliver(_ flags: SelectorFlags, to descriptor: IODescriptor) {
    let failed = !flags.isDisjoint(with: [.hangup, .error])
    let readable = failed || flags.contains(.readable)
    let writable = flags.contains(.writable) || flags.contains(.error) || flags.contains(.hangup)
    if descriptor.isWatch {
      descriptor.deliverWatch(readable: readable, writable: writable)
      return
    }
    if failed { descriptor.isHungUp = true }
    if readable {
      descriptor.isReadable = true
      descriptor.reading?._withUnsafeGuaranteedRef { operation in
        guard attempt(operation) else { return }
        descriptor.reading = nil
        refreshInterest(descriptor)
        operation.complete(operation.result)
      }
    }
    if writable {
      descriptor.isWritable = true
      descriptor.writing?._withUnsafeGuaranteedRef { operation in
        guard attempt(operation) else { return }
        descriptor.writing = nil
        refreshInterest(descriptor)
        operation.complete(operation.result)
      }
    }
  }

  /// An event whose descriptor is not registered (any more). One or two are ordinary: closed in this very batch.
  private func noteGhost() {
    if !detachedInBatch { ghosts += 1 }
  }

  /// Registrations of closed descriptors that another process keeps open report for ever. Start anew without them.
  private func exorcise() throws(Errno) {
    ghosts = 0
    try selector.reset()
    for case let slot? in slots {
      let descriptor = slot.takeUnretainedValue()
      descriptor.isRegistered = false
      try register(descriptor)
    }
  }

  // MARK: Registration

  private func register(_ descriptor: IODescriptor) throws(Errno) {
    let interest = interest(of: descriptor)
    if !interest.isDisjoint(with: [.readable, .writable]) {
      try selector.register(descriptor.fileDescriptor, interest: interest, token: descriptor.token)
      descriptor.isRegistered = true
    }
    attach(descriptor)
  }

  public func attach(_ descriptor: IODescriptor) {
    let fd = Int(descriptor.fileDescriptor)
    while slots.count <= fd { slots.append(nil) }
    if let old = slots[fd], old.toOpaque() != Unmanaged.passUnretained(descriptor).toOpaque() {
      // The number was closed behind the loop's back and is somebody else's now. What waited under it has lost.
      abandon(old.takeUnretainedValue())
      old.release()
      slots[fd] = nil
    }
    if slots[fd] == nil { slots[fd] = Unmanaged.passRetained(descriptor) }
  }

  public func attached(_ fileDescriptor: Int32) -> IODescriptor? {
    let fd = Int(fileDescriptor)
    return fd >= 0 && fd < slots.count ? slots[fd]?.takeUnretainedValue() : nil
  }

  private func interest(of descriptor: IODescriptor) -> SelectorFlags {
    var interest: SelectorFlags = []
    if descriptor.isWatch {
      if descriptor.reader != nil { interest.insert(.readable) }
      if descriptor.writer != nil { interest.insert(.writable) }
    } else if isEdgeTriggered {
      interest = [.readable, .writable, .edge]
    } else {
      if descriptor.reading != nil { interest.insert(.readable) }
      if descriptor.writing != nil { interest.insert(.writable) }
    }
    return interest
  }

  /// Level-triggered selectors are told what is waited for now; edge-triggered ones know all they need.
  @inline(__always)
  private func refreshInterest(_ descriptor: IODescriptor) {
    if !isEdgeTriggered { updateInterest(descriptor) }
  }

  private func updateInterest(_ descriptor: IODescriptor) {
    let interest = interest(of: descriptor)
    if interest.isEmpty {
      if descriptor.isRegistered { selector.unregister(descriptor.fileDescriptor) }
      descriptor.isRegistered = false
    } else {
      // A failure here shows as an error of the parked operation's own call at the next report or cancel.
      try? selector.register(descriptor.fileDescriptor, interest: interest, token: descriptor.token)
      descriptor.isRegistered = true
    }
  }

  private func abandon(_ descriptor: IODescriptor) {
    descriptor.reader?.cancel()
    descriptor.writer?.cancel()
    descriptor.reader = nil
    descriptor.writer = nil
    cancelParked(descriptor)
  }

  public func detach(_ descriptor: IODescriptor, closing: Bool) {
    detachedInBatch = true
    let fd = Int(descriptor.fileDescriptor)
    if fd < slots.count, let slot = slots[fd], slot.toOpaque() == Unmanaged.passUnretained(descriptor).toOpaque() {
      slots[fd] = nil
      // Closing a socket removes its edge-triggered registration; the call to do it by hand would be wasted.
      if descriptor.isRegistered && !(closing && isEdgeTriggered && !descriptor.isWatch) {
        selector.unregister(descriptor.fileDescriptor)
      }
      descriptor.isRegistered = false
      defer { slot.release() }
      cancelParked(descriptor)
    } else {
      cancelParked(descriptor)
    }
  }

  private func cancelParked(_ descriptor: IODescriptor) {
    if let operation = descriptor.reading?.takeUnretainedValue() {
      descriptor.reading = nil
      operation.complete(-Int(ECANCELED))
    }
    if let operation = descriptor.writing?.takeUnretainedValue() {
      descriptor.writing = nil
      operation.complete(-Int(ECANCELED))
    }
  }

  public func watch(_ descriptor: IODescriptor, readable: Bool, writable: Bool) throws(Errno) {
    if readable || writable {
      try register(descriptor)
    } else {
      detach(descriptor, closing: false)
    }
  }

  public func close() {
    for index in slots.indices {
      guard let slot = slots[index] else { continue }
      slots[index] = nil
      let descriptor = slot.takeRetainedValue()
      descriptor.reader = nil
      descriptor.writer = nil
      cancelParked(descriptor)
    }
    pool.deallocateAll()
    selector.close()
  }

  // MARK: Operations

  @inline(__always)
  public func submit(_ operation: IOOperation) -> Bool {
    let descriptor = operation.descriptor
    switch operation.kind {
    case .receive, .receiveLent, .accept:
      if descriptor.isReadable && attempt(operation) { return finished(operation) }
      precondition(descriptor.reading == nil, "two operations wait to read one descriptor")
      descriptor.reading = .passUnretained(operation)
    case .send, .connect:
      if descriptor.isWritable && attempt(operation) { return finished(operation) }
      precondition(descriptor.writing == nil, "two operations wait to write one descriptor")
      descriptor.writing = .passUnretained(operation)
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

  /// The first wait of a descriptor, or any wait of a level-triggered selector.
  private func registerParked(_ operation: IOOperation) -> Bool {
    let descriptor = operation.descriptor
    do {
      try register(descriptor)
      return false
    } catch {
      if Self.parks(descriptor.reading, operation) { descriptor.reading = nil } else { descriptor.writing = nil }
      operation.result = -Int(error.rawValue)
      return finished(operation)
    }
  }

  public func cancel(_ operation: IOOperation) {
    let descriptor = operation.descriptor
    if Self.parks(descriptor.reading, operation) {
      descriptor.reading = nil
    } else if Self.parks(descriptor.writing, operation) {
      descriptor.writing = nil
    } else {
      return
    }
    refreshInterest(descriptor)
    operation.complete(-Int(ECANCELED))
  }

  private static func parks(_ parked: Unmanaged<IOOperation>?, _ operation: IOOperation) -> Bool {
    parked?.toOpaque() == Unmanaged.passUnretained(operation).toOpaque()
  }

  /// Makes the system call. `true`: the operation has ended, `result` says how. `false`: it would block.
  @inline(__always)
  private func attempt(_ operation: IOOperation) -> Bool {
    switch operation.kind {
    case .receiveLent:
      // The bytes are fetched later, see above.
      operation.result = 0
      return true
    case .receive: return attemptReceive(operation)
    case .send: return attemptSend(operation)
    case .accept: return attemptAccept(operation)
    case .connect: return attemptConnect(operation)
    }
  }

  private func attemptReceive(_ operation: IOOperation) -> Bool {
    let descriptor = operation.descriptor
    let n = receive(descriptor, operation.buffer, operation.count)
    operation.result = n
    return n != -Int(EAGAIN)
  }

  /// recv(2) with EINTR retried and the readable bit kept.
  @inline(__always)
  private func receive(_ descriptor: IODescriptor, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    while true {
      let n = recv(descriptor.fileDescriptor, buffer, count, 0)
      if n >= 0 {
        if n < count && !descriptor.isHungUp { descriptor.isReadable = false }
        return n
      }
      let error = casyncio_errno()
      if error == EINTR { continue }
      if error == EAGAIN { descriptor.isReadable = false }
      return -Int(error)
    }
  }

  private func attemptSend(_ operation: IOOperation) -> Bool {
    let descriptor = operation.descriptor
    while operation.transferred < operation.count {
      let n = send(
        descriptor.fileDescriptor, operation.buffer! + operation.transferred,
        operation.count - operation.transferred, sendFlags)
      if n >= 0 {
        operation.transferred += n
        continue
      }
      let error = casyncio_errno()
      if error == EINTR { continue }
      if error == EAGAIN {
        descriptor.isWritable = false
        return false
      }
      operation.result = -Int(error)
      return true
    }
    operation.result = operation.count
    return true
  }

  @inline(__always)
  public func trySend(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int {
    guard descriptor.isWritable else { return 0 }
    while true {
      let n = send(descriptor.fileDescriptor, bytes.baseAddress, bytes.count, sendFlags)
      if n >= 0 { return n }
      let error = casyncio_errno()
      if error == EINTR { continue }
      guard error == EAGAIN else { return -Int(error) }
      descriptor.isWritable = false
      return 0
    }
  }

  private func attemptAccept(_ operation: IOOperation) -> Bool {
    while true {
      let fd = casyncio_accept(operation.descriptor.fileDescriptor)
      switch -fd {
      case EINTR, ECONNABORTED, EPROTO:
        // The connection that failed is gone from the queue; the next one may be fine.
        continue
      case EAGAIN:
        operation.descriptor.isReadable = false
        return false
      default:
        operation.result = Int(fd)
        return true
      }
    }
  }

  private func attemptConnect(_ operation: IOOperation) -> Bool {
    let fd = operation.descriptor.fileDescriptor
    if operation.transferred == 0 {
      operation.transferred = 1
      let address = operation.buffer!.assumingMemoryBound(to: sockaddr.self)
      if connect(fd, address, socklen_t(operation.count)) == 0 {
        operation.result = 0
        return true
      }
      let error = casyncio_errno()
      // An interrupted connect goes on in the kernel, like one in progress.
      if error == EINPROGRESS || error == EINTR {
        operation.descriptor.isWritable = false
        return false
      }
      operation.result = -Int(error)
      return true
    }
    return finishConnect(operation, fd)
  }

  private func finishConnect(_ operation: IOOperation, _ fd: Int32) -> Bool {
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    if getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 { error = casyncio_errno() }
    if error == 0 {
      // A report that came too early: no error, but no peer either.
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let connected = withUnsafeMutablePointer(to: &storage) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(fd, $0, &length) == 0 }
      }
      if !connected && casyncio_errno() == ENOTCONN {
        operation.descriptor.isWritable = false
        return false
      }
    }
    operation.result = -Int(error)
    return true
  }

  // MARK: Lent receiving

  @inline(__always)
  public func claimLent(_ operation: IOOperation) -> Bool {
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

  @inline(__always)
  public func returnLent(_ operation: IOOperation) {
    guard let buffer = operation.buffer else { return }
    operation.buffer = nil
    pool.giveBack(buffer, capacity: operation.count)
  }
}
