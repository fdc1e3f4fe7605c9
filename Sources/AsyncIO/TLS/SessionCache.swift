// What a client may go on with, instead of agreeing on everything again.
//
// It is kept for a service, which is a host and the place where it listens: the port, or the path of a Unix socket.
// Several services of one host have one name and mostly one certificate, but each its own secrets: a ticket of another
// service is not understood, and is gone all the same if it is for one use. Where they do share the secrets, a client
// would go on with what it agreed on with another one. The address is not part of it: a host that has several
// addresses, because it is several machines or speaks two families, is one service, and a look-up brings them in any
// order.

/// A service as a client knows it.
package struct TLSService: Hashable, Sendable {
  /// The host whose certificate was expected.
  package let host: String
  /// Where it listens on that host: small, because each connection of a client keeps it.
  package let place: String

  package init(host: String, place: String) { (self.host, self.place) = (host, place) }

  /// The service at the other end of a connection; nil if its host has no name.
  package init?(host: String?, at address: SocketAddress) {
    guard let host, !host.isEmpty else { return nil }
    self.init(host: host, place: address.port.map { "\($0)" } ?? address.unixPath ?? "")
  }
}

/// What a client needs to go on with an earlier session.
package protocol ResumableSession: Sendable {
  /// True of TLS 1.3, whose standard wants a ticket to be used once: then nobody can tell a client's connections by it.
  /// Its servers give out new tickets with each connection; those of TLS 1.2 do not.
  var isForOneUse: Bool { get }
}

/// The sessions that a client may go on with, by the service. Both bounds hold memory down: a client may meet any
/// number of services, and a server may send any number of tickets.
package final class SessionCache<Session: ResumableSession>: Sendable {
  static var maximumServices: Int { 256 }
  static var maximumPerService: Int { 8 }

  private struct State {
    var sessions: [TLSService: [Session]] = [:]
    /// The services, the one longest unused first.
    var order: [TLSService] = []
  }

  private let state = Lock(State())

  package init() {}

  package func remember(_ session: Session, for service: TLSService) {
    // What is dropped is freed after the lock is left.
    let dropped: [Session] = state.withLock { state in
      var dropped: [Session] = []
      if state.sessions[service] == nil {
        if state.order.count == Self.maximumServices {
          dropped += state.sessions.removeValue(forKey: state.order.removeFirst()) ?? []
        }
        state.order.append(service)
      }
      state.sessions[service, default: []].append(session)
      if state.sessions[service]!.count > Self.maximumPerService {
        dropped.append(state.sessions[service]!.removeFirst())
      }
      return dropped
    }
    _ = dropped
  }

  /// Return the newest one, and forget it if it is for one use.
  package func take(for service: TLSService) -> Session? {
    state.withLock { state in
      guard let session = state.sessions[service]?.last else { return nil }
      guard session.isForOneUse else { return session }
      state.sessions[service]!.removeLast()
      if state.sessions[service]!.isEmpty {
        state.sessions[service] = nil
        state.order.removeAll { $0 == service }
      }
      return session
    }
  }
}
