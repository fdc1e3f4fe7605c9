internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

/// Listening stream sockets of an event loop, TCP or Unix. Answers asyncio's `Server`.
///
/// Thread rules: `close()` and the properties from any thread; `accept()` and `serve` from tasks of the loop. The
/// fields do not change, but for one of the loop's thread, which is what makes the unchecked conformance right.
public final class StreamListener: @unchecked Sendable {
  let core: BaseEventLoop
  let descriptors: [IODescriptor]
  let accepting: [IOOperation]
  private let claim = Atomic<Bool>(false)
  /// What `accept()` waits with; loop thread only.
  let acceptQueue = AcceptQueue()
  /// The `serve` that goes on; loop thread only.
  @exclusivity(unchecked) weak var server: ConnectionServer?

  let backlog: Int32
  let isServing: Atomic<Bool>
  private let files: [UnixSocketFile]
  private let filesAreGone = Atomic<Bool>(false)

  /// The addresses it listens on, ports filled in.
  public let addresses: [SocketAddress]

  /// The port of the first address.
  public var port: UInt16 { addresses.first?.port ?? 0 }

  init(_ sockets: [BoundSocket], backlog: Int32, isServing: Bool, core: BaseEventLoop) {
    self.core = core
    self.backlog = backlog
    self.isServing = Atomic(isServing)
    descriptors = sockets.map { IODescriptor($0.fd, loop: core) }
    accepting = descriptors.map { IOOperation(.accept, on: $0) }
    addresses = sockets.map(\.address)
    files = sockets.compactMap(\.file)
    for descriptor in descriptors {
      descriptor.isListening = true
      core.backend.attach(descriptor)
    }
  }

  deinit {
    closeDescriptors()
    acceptQueue.closeAll()
    // Accepts may be in flight; their records must outlive the close, which from another thread is still to come.
    let (records, queue) = (accepting, acceptQueue)
    core.perform { _ in withExtendedLifetime((records, queue)) { queue.closeAll() } }
  }

  /// True once `close()` was called.
  public var isClosed: Bool { descriptors.allSatisfy(\.isClosed) }

  /// Stops listening. Waiting `accept()` calls end with an error, a `serve` takes no more connections, waits for those
  /// it has, and returns. Idempotent, any thread.
  public func close() {
    closeDescriptors()
    // Accepting may pause, with nothing in flight that the close would end.
    core.perform { _ in self.server?.listenerClosed() }
  }

  private func closeDescriptors() {
    if !filesAreGone.exchange(true, ordering: .relaxed) {
      for file in files { file.remove(core.logger) }
    }
    for descriptor in descriptors { descriptor.close() }
  }

  func claimAccept() throws(EventLoopError) {
    guard claim.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      throw EventLoopError(.busy, "accept: another task accepts from this listener. Let one task accept or serve.")
    }
  }

  func releaseAccept() { claim.store(false, ordering: .releasing) }
}
