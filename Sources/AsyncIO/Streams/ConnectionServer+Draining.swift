/// A server, as the stop that it serves until sees it.
///
/// It is not the server itself, which has no room for what most servers do not need. The server is for the loop's
/// thread, and so is what a stop calls here; that is what makes the unchecked conformance right.
final class ServerDrain: StopMember, @unchecked Sendable {
  private unowned let server: ConnectionServer
  let stop: GracefulStop
  /// True if the stop is this server's own: to close the listener is then to request it.
  private let isOwner: Bool

  init(_ server: ConnectionServer, _ stop: GracefulStop, isOwner: Bool) {
    (self.server, self.stop, self.isOwner) = (server, stop, isOwner)
  }

  func stopWasRequested() { if !server.listener.isClosed { server.listener.close() } }

  var runningEntries: [StopEntry] {
    server.running.map { served in
      StopEntry(
        id: ObjectIdentifier(served), name: served.names ?? served.connection.socketNames,
        peer: served.connection.peerAddress)
    }
  }

  func cancelForStop() { server.cancelAll() }

  func listenerClosed() { if isOwner { stop.request() } }

  func ended(_ served: ServedConnection) { stop.ended(ObjectIdentifier(served)) }
}
