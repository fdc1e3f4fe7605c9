internal import CAsyncIO
internal import SystemPackage

/// Listening stream sockets of an event loop, TCP or Unix. Answers asyncio's `Server`.
///
/// Thread rules: `close()` and the properties from any thread; `accept()` and `serve` from tasks of the loop. The
/// fields do not change, except for one that belongs to the loop's thread; that is what makes the unchecked conformance
/// right.
public final class StreamListener: @unchecked Sendable {
  let sockets: ListeningSockets
  private let claim = Claim()
  /// The queue behind `accept()`; loop thread only.
  let acceptQueue: AcceptQueue
  /// The current `serve`; loop thread only.
  @exclusivity(unchecked) weak var server: ConnectionServer?

  var core: BaseEventLoop { sockets.core }
  var accepting: [IOOperation] { sockets.accepting }

  /// The addresses it listens on, ports filled in.
  public var addresses: [SocketAddress] { sockets.addresses }

  /// The port of the first address.
  public var port: UInt16 { addresses.first?.port ?? 0 }

  /// How the connections are protected, if they are.
  let tls: TLSProtection?

  init(_ sockets: ListeningSockets, tls: TLSProtection? = nil) {
    self.sockets = sockets
    self.tls = tls
    acceptQueue = AcceptQueue(sockets.core.sockets)
  }

  deinit {
    sockets.close()
    acceptQueue.end()
    // Until the close arrives from another thread, accepts may be in flight and end into the queue.
    let (sockets, queue) = (sockets, acceptQueue)
    core.perform { loop in
      queue.leave(loop)
      withExtendedLifetime((sockets, queue)) {}
    }
  }

  /// True once `close()` was called.
  public var isClosed: Bool { sockets.isClosed }

  /// Stop listening. Pending `accept()` calls end with an error; a `serve` takes no more connections, waits for those
  /// it has, and returns. Connections that were accepted while no call waited are closed. Idempotent, any thread.
  public func close() {
    sockets.close()
    core.perform { [acceptQueue] loop in
      // Accepting may pause, with nothing in flight that the close would end.
      self.server?.listenerClosed()
      acceptQueue.end()
      acceptQueue.leave(loop)
    } dropped: { [acceptQueue] in
      acceptQueue.end()
    }
  }

  func claimAccept() throws(EventLoopError) {
    try claim.take(or: "accept: another task accepts from this listener. Let one task accept or serve.")
  }

  func releaseAccept() { claim.release() }
}

extension StreamListener: CustomStringConvertible {
  /// How logs show it: "StreamListener 127.0.0.1:7000 (descriptor 5)", with all its addresses. Any thread.
  public var description: String { "StreamListener \(sockets)" }
}
