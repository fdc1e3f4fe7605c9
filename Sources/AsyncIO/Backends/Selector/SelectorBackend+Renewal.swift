internal import CAsyncIO
internal import SystemPackage

// When the kernel's registrations are no longer this loop's, and all of them are made anew. A registration belongs to
// an open file, which lives as long as any process has it:
//
// - A descriptor that was closed here and lives on in another process reports for ever, under a number that is nobody's
//   or somebody else's. One cannot remove it without its number, so many such reports end them all.
// - The child of a fork has the parent's instance, and each change that it made there would be made for its parent: a
//   loop that is closed in the child would leave its parent deaf.

extension SelectorBackend {
  /// The number of ghosts from which on they are not an accident.
  static var ghostLimit: Int { 16 }

  /// Count an event whose descriptor is not registered (any more). One or two are ordinary: closed in this very batch.
  func noteGhost() {
    if !detachedInBatch { ghosts += 1 }
  }

  /// Start anew without the registrations of closed descriptors that another process keeps open: they report for ever.
  func exorcise() {
    ghosts = 0
    // Asked while the old registrations are there. A number that is another file's by now is not watched again.
    for index in slots.indices {
      guard let descriptor = slots[index]?.takeUnretainedValue(), descriptor.isWatch else { continue }
      if !namesWatchedFile(descriptor) { detach(descriptor, closing: false) }
    }
    // If there is no descriptor for it, the old one serves for a while longer.
    try? registerAnew()
  }

  private func registerAnew() throws(Errno) {
    try selector.reset()
    forkGeneration = casyncio_fork_generation()
    for index in slots.indices {
      guard let descriptor = slots[index]?.takeUnretainedValue() else { continue }
      descriptor.isRegistered = false
      do { try register(descriptor) } catch { endParked(descriptor, -Int(error.rawValue)) }
    }
  }

  /// Return the selector, for a change of what is registered. What the kernel keeps is the parent's as well in the
  /// child of a fork, and each change would be the parent's: so the child begins anew with the first one.
  func ownSelector() throws(Errno) -> any IOSelector {
    if forkGeneration != casyncio_fork_generation() { try registerAnew() }
    return selector
  }

  /// Remove the registration of a descriptor.
  func unregister(_ descriptor: IODescriptor) {
    try? ownSelector().unregister(descriptor.fileDescriptor)
    descriptor.isRegistered = false
  }
}
