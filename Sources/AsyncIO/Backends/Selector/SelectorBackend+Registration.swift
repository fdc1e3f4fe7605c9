internal import CAsyncIO
package import SystemPackage

extension SelectorBackend {
  func register(_ descriptor: IODescriptor) throws(Errno) {
    let interest = interest(of: descriptor)
    if !interest.isDisjoint(with: [.readable, .writable, .hangup, .error]) {
      try ownSelector().register(descriptor.fileDescriptor, interest: interest, token: descriptor.token)
      descriptor.isRegistered = true
    }
    attach(descriptor)
  }

  /// Take the descriptor into care under its number; its first wait registers it.
  package func attach(_ descriptor: IODescriptor) {
    descriptor.assertLoopThread()
    let fd = Int(descriptor.fileDescriptor)
    while slots.count <= fd { slots.append(nil) }
    if let old = slots[fd], old.toOpaque() != Unmanaged.passUnretained(descriptor).toOpaque() {
      // The number was closed without the loop's knowledge and is another file's now. What waited under it has lost.
      abandon(old.takeUnretainedValue())
      old.release()
      slots[fd] = nil
    }
    if slots[fd] == nil { slots[fd] = Unmanaged.passRetained(descriptor) }
    if missesUrgentData { descriptor.shortReadsDrain = false }
  }

  /// Return the descriptor in care under this number, if any.
  package func attached(_ fileDescriptor: Int32) -> IODescriptor? {
    let fd = Int(fileDescriptor)
    return fd >= 0 && fd < slots.count ? slots[fd]?.takeUnretainedValue() : nil
  }

  package func forEachAttached(_ body: (IODescriptor) -> Void) {
    for case let descriptor? in slots { descriptor._withUnsafeGuaranteedRef { body($0) } }
  }

  func interest(of descriptor: IODescriptor) -> SelectorFlags {
    var interest: SelectorFlags = []
    if let watch = descriptor.watch {
      if watch.waitsToRead { interest.insert(.readable) }
      if watch.waitsToWrite { interest.insert(.writable) }
    } else if isEdgeTriggered {
      interest = [.readable, .writable, .urgent, .edge]
    } else {
      if descriptor.reading != nil { interest.insert(.readable) }
      if descriptor.writing != nil { interest.insert(.writable) }
      if descriptor.endObserver != nil && reportsEnds {
        interest.insert(descriptor.knowsEnd ? .error : .hangup)
      }
    }
    return interest
  }

  /// Tell a level-triggered selector what is waited for now; an edge-triggered one knows all it needs.
  @inline(__always)
  func refreshInterest(_ descriptor: IODescriptor) {
    if !isEdgeTriggered { updateInterest(descriptor) }
  }

  func updateInterest(_ descriptor: IODescriptor) {
    let interest = interest(of: descriptor)
    if interest.isEmpty {
      if descriptor.isRegistered { unregister(descriptor) }
    } else {
      // A failure here shows as an error of the parked operation's own call at the next report or cancel.
      try? ownSelector().register(descriptor.fileDescriptor, interest: interest, token: descriptor.token)
      descriptor.isRegistered = true
    }
  }

  func abandon(_ descriptor: IODescriptor) {
    descriptor.cancelWatch()
    cancelParked(descriptor)
  }

  /// End pending operations of the descriptor and unregister it, by a call only if closing does not do that anyway.
  package func detach(_ descriptor: IODescriptor, closing: Bool) {
    detachedInBatch = true
    let fd = Int(descriptor.fileDescriptor)
    if fd < slots.count, let slot = slots[fd], slot.toOpaque() == Unmanaged.passUnretained(descriptor).toOpaque() {
      slots[fd] = nil
      // Closing a socket removes its edge-triggered registration; a call to do it by hand would be wasted.
      if descriptor.isRegistered && !(closing && isEdgeTriggered && !descriptor.isWatch) {
        unregister(descriptor)
      }
      descriptor.isRegistered = false
      defer { slot.release() }
      cancelParked(descriptor)
    } else {
      cancelParked(descriptor)
    }
  }

  func cancelParked(_ descriptor: IODescriptor) { endParked(descriptor, -Int(ECANCELED)) }

  func endParked(_ descriptor: IODescriptor, _ result: Int) {
    if let operation = descriptor.reading?.takeUnretainedValue() {
      descriptor.reading = nil
      operation.complete(result)
    }
    if let operation = descriptor.writing?.takeUnretainedValue() {
      descriptor.writing = nil
      operation.complete(result)
    }
  }

  /// Register what is waited for; a descriptor without a wait leaves.
  package func watch(_ descriptor: IODescriptor, readable: Bool, writable: Bool) throws(Errno) {
    if readable || writable {
      try register(descriptor)
    } else {
      detach(descriptor, closing: false)
    }
  }

  /// End all operations and close the selector.
  package func close() {
    for index in slots.indices {
      guard let slot = slots[index] else { continue }
      slots[index] = nil
      let descriptor = slot.takeRetainedValue()
      descriptor.watch = nil
      cancelParked(descriptor)
    }
    pool.deallocateAll()
    selector.close()
  }
}
