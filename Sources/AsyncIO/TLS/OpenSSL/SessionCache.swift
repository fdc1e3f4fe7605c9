internal import COpenSSL

/// A session that may be resumed. Unchecked because OpenSSL's sessions are counted and may be used in any thread.
final class StoredSession: @unchecked Sendable {
  let session: OpaquePointer
  /// True of TLS 1.3, whose standard wants a ticket to be used once: then nobody can tell a client's connections by it.
  /// Its servers give out new tickets with each connection; those of TLS 1.2 do not.
  let isForOneUse: Bool
  private let openssl: OpenSSL

  /// Take over a session from OpenSSL.
  init(_ session: OpaquePointer, _ openssl: OpenSSL) {
    self.session = session
    self.openssl = openssl
    isForOneUse = openssl.api.pointee.SSL_SESSION_get_protocol_version(session) >= 0x0304
  }

  deinit { openssl.api.pointee.SSL_SESSION_free(session) }
}

/// What a client needs to go on with earlier sessions, by the host. Both bounds hold memory down: a client may meet any
/// number of hosts, and a server may send any number of tickets.
final class SessionCache: Sendable {
  static let maximumHosts = 256
  static let maximumPerHost = 8

  private struct State {
    var sessions: [String: [StoredSession]] = [:]
    /// The hosts, the one longest unused first.
    var order: [String] = []
  }

  private let state = Lock(State())

  func remember(_ session: StoredSession, for host: String) {
    // What is dropped is freed after the lock is left.
    let dropped: [StoredSession] = state.withLock { state in
      var dropped: [StoredSession] = []
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
  func take(for host: String) -> StoredSession? {
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
