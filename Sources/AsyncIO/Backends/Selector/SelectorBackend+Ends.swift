internal import CAsyncIO

// Ends that nobody reads. A selector of states reports the end of the peer's stream for ever, so after it only a
// failure is asked for; a selector of changes has the end in every report, so a failure is looked up.

extension SelectorBackend {
  /// Tell of an end or a failure that no operation waits for.
  func deliverEnd(_ descriptor: IODescriptor, _ writable: Bool) {
    let held = Unmanaged.passRetained(descriptor)
    defer { held.release() }
    // First: a send would take the error away, and the input would have a good end.
    descriptor.tellEnd()
    if writable { serveWriting(descriptor) }
    refreshInterest(descriptor)
  }

  /// True for an end, and after it for a failure; the end is part of every report then.
  func isNews(_ descriptor: IODescriptor) -> Bool {
    !descriptor.knowsEnd || casyncio_is_ready(descriptor.fileDescriptor, 0) != 0
  }

  /// Ask for reports of the end. A registration for changes has them already.
  package func watchEnd(of descriptor: IODescriptor) -> Bool {
    if descriptor.isHungUp && isNews(descriptor) { return true }
    if !descriptor.isRegistered || !isEdgeTriggered { try? register(descriptor) }
    return false
  }
}
