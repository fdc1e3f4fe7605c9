internal import COpenSSL

/// The protection of one connection by OpenSSL. For one thread at a time, which is the connection's.
final class OpenSSLSession: TLSSession {
  /// Held because OpenSSL's callbacks find it by an unowned reference.
  private let context: OpenSSLContext
  private let api: UnsafePointer<casyncio_openssl>
  private let ssl: OpaquePointer
  /// Held because OpenSSL reads and writes there.
  private let bytes: TLSBytes
  /// With whom the session may be resumed.
  private(set) var service: TLSService?
  private var isEstablished = false
  private var hasEnded = false
  /// After a failure a session is of no use any more, and OpenSSL forgets why.
  private var firstFailure: TLSError?

  init(_ context: OpenSSLContext, serverName: String?, _ bytes: TLSBytes) throws(TLSError) {
    let api = context.openssl.api
    guard let ssl = api.pointee.SSL_new(context.handle) else {
      throw TLSError(.invalidConfiguration, "TLS session: \(context.openssl.takeError().text)")
    }
    self.context = context
    self.api = api
    self.ssl = ssl
    self.bytes = bytes
    guard casyncio_openssl_attach(api, context.openssl.method, ssl, bytes.pointer) == 1 else {
      throw TLSError(.invalidConfiguration, "TLS session: no memory")
    }
    _ = api.pointee.SSL_set_ex_data(ssl, context.openssl.sessionIndex, Unmanaged.passUnretained(self).toOpaque())
    if context.configuration.side == .server {
      api.pointee.SSL_set_accept_state(ssl)
    } else {
      api.pointee.SSL_set_connect_state(ssl)
      try expect(serverName)
    }
  }

  deinit { api.pointee.SSL_free(ssl) }

  /// The object of an OpenSSL session.
  static func of(_ ssl: OpaquePointer) -> OpenSSLSession? {
    guard case .success(let openssl) = OpenSSL.shared else { return nil }
    return openssl.api.pointee.SSL_get_ex_data(ssl, openssl.sessionIndex).map {
      Unmanaged<OpenSSLSession>.fromOpaque($0).takeUnretainedValue()
    }
  }

  /// Say which host the certificate must be for, and tell the server which one is meant.
  private func expect(_ name: String?) throws(TLSError) {
    let checksName = context.configuration.verification == .full
    guard let name, !name.isEmpty else {
      guard checksName else { return }
      throw TLSError(
        .invalidConfiguration,
        "TLS: the certificate is to be for a host, and there is no host name. Give serverHostname.")
    }
    guard !name.utf8.contains(0), name.utf8.count <= 253 else {
      throw TLSError(.invalidConfiguration, "TLS: \"\(name)\" is not the name of a host.")
    }
    let parameters = api.pointee.SSL_get0_param(ssl)
    let isAddress: Bool
    if checksName {
      isAddress = api.pointee.X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1
      if !isAddress {
        api.pointee.X509_VERIFY_PARAM_set_hostflags(
          parameters, UInt32(OPENSSL_X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard api.pointee.X509_VERIFY_PARAM_set1_host(parameters, name, name.utf8.count) == 1 else {
          throw TLSError(.invalidConfiguration, "TLS: \"\(name)\" is not the name of a host.")
        }
      }
    } else {
      isAddress = name.isHostAddress
    }
    forgetErrors()
    // Only names are told to a server, by the protocol.
    if !isAddress {
      let result = name.withCString {
        api.pointee.SSL_ctrl(
          ssl, Int32(OPENSSL_CTRL_SET_TLSEXT_HOSTNAME), OPENSSL_TLSEXT_NAMETYPE_HOST_NAME,
          UnsafeMutableRawPointer(mutating: $0))
      }
      guard result == 1 else { throw TLSError(.invalidConfiguration, "TLS: \"\(name)\" is not the name of a host.") }
    }
  }

  func resume(_ service: TLSService) {
    guard context.configuration.side == .client, context.configuration.resumesSessions else { return }
    self.service = service
    guard let stored = context.sessions.take(for: service) else { return }
    _ = api.pointee.SSL_set_session(ssl, stored.session)
  }

  // MARK: The machine

  var receivesByItself: Bool { true }

  func handshake() throws(TLSError) -> Bool {
    if isEstablished { return true }
    if let firstFailure { throw firstFailure }
    forgetErrors()
    let result = api.pointee.SSL_do_handshake(ssl)
    if result == 1 {
      isEstablished = true
      return true
    }
    if wants(result) { return false }
    throw failure(result)
  }

  func read(into memory: UnsafeMutableRawBufferPointer) throws(TLSError) -> Int? {
    if let firstFailure { throw firstFailure }
    var count = 0
    forgetErrors()
    let result = api.pointee.SSL_read_ex(ssl, memory.baseAddress!, memory.count, &count)
    if result == 1 { return count }
    let error = Int(api.pointee.SSL_get_error(ssl, result))
    if error == OPENSSL_ERROR_WANT_READ { return 0 }
    if error == OPENSSL_ERROR_ZERO_RETURN { return nil }
    throw failure(result)
  }

  func lookAhead() throws(TLSError) -> Bool {
    if let firstFailure { throw firstFailure }
    var (byte, count) = (UInt8(0), 0)
    forgetErrors()
    let result = api.pointee.SSL_peek_ex(ssl, &byte, 1, &count)
    if result == 1 { return true }
    let error = Int(api.pointee.SSL_get_error(ssl, result))
    if error == OPENSSL_ERROR_WANT_READ { return true }
    if error == OPENSSL_ERROR_ZERO_RETURN { return false }
    throw failure(result)
  }

  var pending: Int { Int(api.pointee.SSL_pending(ssl)) }

  func write(_ plain: UnsafeRawBufferPointer) throws(TLSError) {
    if let firstFailure { throw firstFailure }
    var rest = plain
    while !rest.isEmpty {
      var count = 0
      // Errors of others may stay: a write waits for nothing, so its result says all but the reason of a failure.
      let result = api.pointee.SSL_write_ex(ssl, rest.baseAddress!, rest.count, &count)
      guard result == 1 else { throw failure(result, isClean: false) }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  func end() throws(TLSError) {
    guard !hasEnded, isEstablished else { return }
    hasEnded = true
    forgetErrors()
    let result = api.pointee.SSL_shutdown(ssl)
    if result < 0, !wants(result) { throw failure(result) }
  }

  /// Take errors of others out of this thread's list: OpenSSL looks there for what became of a call. Asked first,
  /// because clearing costs as much as a tenth of a small record.
  @inline(__always)
  private func forgetErrors() {
    if api.pointee.ERR_peek_error() != 0 { api.pointee.ERR_clear_error() }
  }

  private func wants(_ result: Int32) -> Bool {
    let error = Int(api.pointee.SSL_get_error(ssl, result))
    return error == OPENSSL_ERROR_WANT_READ
  }

  private func failure(_ result: Int32, isClean: Bool = true) -> TLSError {
    let error = context.openssl.failure(
      of: ssl, result: result, isHandshake: !isEstablished, isClean: isClean, inputHasEnded: bytes.inputHasEnded)
    firstFailure = error
    return error
  }

  // MARK: What was agreed on

  func information() -> TLSInformation {
    let cipher = api.pointee.SSL_get_current_cipher(ssl)
    return TLSInformation(
      version: String(cString: api.pointee.SSL_get_version(ssl)),
      cipher: (
        String(cString: api.pointee.SSL_CIPHER_get_name(cipher)), Int(api.pointee.SSL_CIPHER_get_bits(cipher, nil))
      ),
      applicationProtocol: applicationProtocol,
      serverName: api.pointee.SSL_get_servername(ssl, Int32(OPENSSL_TLSEXT_NAMETYPE_HOST_NAME)).map {
        String(cString: $0)
      },
      isResumed: api.pointee.SSL_session_reused(ssl) == 1,
      peerCertificates: context.openssl.peerCertificates(of: ssl))
  }

  private var applicationProtocol: String? {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    api.pointee.SSL_get0_alpn_selected(ssl, &name, &count)
    return name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self) }
  }
}
