internal import COpenSSL

/// A session that may be resumed. Unchecked because OpenSSL's sessions are counted and may be used in any thread.
final class StoredSession: ResumableSession, @unchecked Sendable {
  let session: OpaquePointer
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
