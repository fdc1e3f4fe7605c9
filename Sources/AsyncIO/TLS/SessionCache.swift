/// What a client needs to go on with an earlier session.
package protocol ResumableSession: Sendable {
  /// True of TLS 1.3, whose standard wants a ticket to be used once: then nobody can tell a client's connections by it.
  /// Its servers give out new tickets with each connection; those of TLS 1.2 do not.
  var isForOneUse: Bool { get }
}

/// The sessions that a client may go on with, by the host. Both bounds hold memory down: a client may meet any number
/// of hosts, and a server may send any number of tickets.
package final class SessionCache<Session: ResumableSession>: Sendable {
  static var maximumHosts: Int { 256 }
  static var maximumPerHost: Int { 8 }

  private struct State {
    var sessions: [String: [Session]] = [:]
    /// The hosts, the one longest unused first.
    var order: [String] = []
  }

  private let state = Lock(State())

  package init() {}

  package func remember(_ session: Session, for host: String) {
    // What is dropped is freed after the lock is left.
    let dropped: [Session] = state.withLock { state in
      var dropped: [Session] = []
      if state.sessions[host] == nil {
        if state.order.count == Self.maximumHosts {
          dropped += state.sessions.removeValue(forKey: state.order.removeFirst()) ?? []
        }
        state.order.append(host)
      }
      state.sessions[host, default: []].append(session)
      if state.sessions[host]!.count > Self.maximumPerHost { dropped.append(state.sessions[host]!.removeFirst()) }
      return dropped
    }
    _ = dropped
  }

  /// Return the newest one, and forget it if it is for one use.
  package func take(for host: String) -> Session? {
    state.withLock { state in
      guard let session = state.sessions[host]?.last else { return nil }
      guard session.isForOneUse else { return session }
      state.sessions[host]!.removeLast()
      if state.sessions[host]!.isEmpty {
        state.sessions[host] = nil
        state.order.removeAll { $0 == host }
      }
      return session
    }
  }
}
