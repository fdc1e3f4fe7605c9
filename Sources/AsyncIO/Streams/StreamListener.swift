internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

/// Listening stream sockets of an event loop, TCP or Unix. Answers asyncio's `Server` and the `sock` side of
/// `start_server`.
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

  /// The addresses it listens on, ports filled in.
  public let addresses: [SocketAddress]

  /// The port of the first address.
  public var port: UInt16 { addresses.first?.port ?? 0 }

  private init(_ sockets: [(Int32, SocketAddress)], core: BaseEventLoop) {
    self.core = core
    descriptors = sockets.map { IODescriptor($0.0, loop: core) }
    accepting = descriptors.map { IOOperation(.accept, on: $0) }
    addresses = sockets.map(\.1)
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

  /// Binds and listens, on the running loop.
  ///
  /// - Parameters:
  ///   - host: a name or literal address; `nil` and "" are all interfaces, IPv4 and IPv6. Several addresses of a name
  ///     are all bound.
  ///   - port: 0 lets the system choose, a port for each address; see ``addresses``.
  ///   - backlog: connections that may wait to be accepted.
  ///   - reuseAddress: bind although connections of an earlier listener linger.
  ///   - reusePort: share the port with other listeners of this user.
  /// - Throws: ``ResolutionError``; ``IOError``, `.addressInUse` for instance, with everything closed again; code
  ///   `noRunningLoop` outside of a loop's thread.
  public static func bind(
    host: String? = nil, port: UInt16, backlog: Int32 = 4096, reuseAddress: Bool = true, reusePort: Bool = false
  ) async throws -> StreamListener {
    let core = try runningCore("StreamListener.bind")
    guard backlog > 0 else {
      throw EventLoopError(.invalidArgument, "StreamListener.bind: backlog is \(backlog). Give a positive number.")
    }
    let addresses = try await Resolver.addresses(of: host, port: port, passive: true, on: core)
    var open: [(Int32, SocketAddress)] = []
    do {
      var unavailable: IOError?
      for address in addresses {
        do throws(IOError) {
          let fd = try Sockets.listen(
            on: address, backlog: backlog, reuseAddress: reuseAddress, reusePort: reusePort)
          open.append((fd, SocketAddress.local(of: fd) ?? address))
        } catch {
          // An address that this machine does not have (IPv6 switched off) is skipped while others work.
          guard error.errno == .addressNotAvailable || error.errno == .addressFamilyNotSupported else { throw error }
          unavailable = error
        }
      }
      if open.isEmpty, let unavailable { throw unavailable }
    } catch {
      for (fd, _) in open { _ = CAsyncIO.close(fd) }
      throw error
    }
    return StreamListener(open, core: core)
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
    for descriptor in descriptors { descriptor.close() }
  }

  func claimAccept() throws(EventLoopError) {
    guard claim.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged else {
      throw EventLoopError(.busy, "accept: another task accepts from this listener. Let one task accept or serve.")
    }
  }

  func releaseAccept() { claim.store(false, ordering: .releasing) }
}
