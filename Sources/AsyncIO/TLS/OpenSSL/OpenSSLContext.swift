internal import COpenSSL

/// Settings with their certificates and keys, loaded into OpenSSL.
///
/// Unchecked because OpenSSL's context is a pointer; OpenSSL itself allows sessions to be made from it in any thread,
/// and nothing changes it after `init`.
final class OpenSSLContext: TLSProviderContext, @unchecked Sendable {
  let openssl: OpenSSL
  let handle: OpaquePointer
  let configuration: TLSConfiguration
  /// The hosts of this side's certificate.
  private(set) var hostnames: [String] = []
  /// The contexts of certain names.
  private var others = TLSNames<OpenSSLContext>()
  /// The names of protocols as they are sent: each behind its length.
  let protocolNames: [UInt8]
  let keyLog: KeyLog?
  let sessions = SessionCache<StoredSession>()

  /// Load what the settings name.
  ///
  /// - Parameter first: for a context of certain names: the one that has the others. It has the same settings, so what
  ///   they name beside the certificates is loaded and opened once, and shared.
  init(
    _ configuration: TLSConfiguration, _ openssl: OpenSSL, sharing first: OpenSSLContext? = nil
  ) throws(TLSError) {
    guard let context = openssl.api.pointee.SSL_CTX_new(openssl.api.pointee.TLS_method()) else {
      throw TLSError(.invalidConfiguration, "TLS context: \(openssl.takeError().text)")
    }
    self.openssl = openssl
    self.handle = context
    self.configuration = configuration
    do {
      if let first {
        (protocolNames, keyLog) = (first.protocolNames, first.keyLog)
      } else {
        protocolNames = try Self.encode(configuration.applicationProtocols)
        keyLog = try configuration.keyLogFile.map { path throws(TLSError) in try KeyLog(path) }
      }
    } catch {
      openssl.api.pointee.SSL_CTX_free(handle)
      throw error
    }
    // From here on `deinit` frees the context, even if one of these throws.
    try setUp(sharing: first)
  }

  deinit {
    // Sessions that are under way hold the context by a count of OpenSSL's own, and this object by the session object.
    openssl.api.pointee.SSL_CTX_free(handle)
  }

  private func setUp(sharing first: OpenSSLContext?) throws(TLSError) {
    let api = openssl.api
    api.pointee.ERR_clear_error()
    _ = api.pointee.SSL_CTX_set_ex_data(handle, openssl.contextIndex, Unmanaged.passUnretained(self).toOpaque())
    _ = api.pointee.SSL_CTX_ctrl(
      handle, Int32(OPENSSL_CTRL_MODE),
      OPENSSL_MODE_ENABLE_PARTIAL_WRITE | OPENSSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | OPENSSL_MODE_RELEASE_BUFFERS, nil)
    _ = api.pointee.SSL_CTX_set_options(
      handle, OPENSSL_OP_NO_RENEGOTIATION | OPENSSL_OP_NO_COMPRESSION | OPENSSL_OP_CIPHER_SERVER_PREFERENCE)
    // A record is asked for in one piece. `bytes.c` sees to it that it is not more than that.
    _ = api.pointee.SSL_CTX_ctrl(handle, Int32(OPENSSL_CTRL_SET_READ_AHEAD), 1, nil)
    try setVersions()
    try setCiphers()
    try setTrust(sharing: first)
    if let identity = configuration.identity {
      hostnames = try load(identity)
    } else if configuration.side == .server {
      throw TLSError(.invalidConfiguration, "TLS context: a server needs a certificate. Set identity.")
    }
    try setNames()
    setProtocols()
    setResumption()
    if keyLog != nil {
      api.pointee.SSL_CTX_set_keylog_callback(handle) { ssl, line in
        OpenSSLContext.of(ssl)?.keyLog?.append(line)
      }
    }
  }

  /// The object whose context a session was made from.
  static func of(_ ssl: OpaquePointer) -> OpenSSLContext? {
    guard case .success(let openssl) = OpenSSL.shared else { return nil }
    let context = openssl.api.pointee.SSL_get_SSL_CTX(ssl)
    return openssl.api.pointee.SSL_CTX_get_ex_data(context, openssl.contextIndex).map {
      Unmanaged<OpenSSLContext>.fromOpaque($0).takeUnretainedValue()
    }
  }

  private func setVersions() throws(TLSError) {
    let (least, most) = (configuration.minimumVersion, configuration.maximumVersion)
    guard least <= most else {
      throw TLSError(
        .invalidConfiguration, "TLS context: the minimum version \(least) is newer than the maximum \(most).")
    }
    let api = openssl.api
    guard
      api.pointee.SSL_CTX_ctrl(handle, Int32(OPENSSL_CTRL_SET_MIN_PROTO_VERSION), Int(least.rawValue), nil) == 1,
      api.pointee.SSL_CTX_ctrl(handle, Int32(OPENSSL_CTRL_SET_MAX_PROTO_VERSION), Int(most.rawValue), nil) == 1
    else {
      throw TLSError(
        .invalidConfiguration, "TLS context: \(openssl.version) does not offer \(least) to \(most).")
    }
  }

  private func setCiphers() throws(TLSError) {
    let api = openssl.api
    func check(_ result: Int, _ field: String, _ list: String) throws(TLSError) {
      guard result != 1 else { return }
      let text = openssl.takeError().text
      throw TLSError(
        .invalidConfiguration, "TLS context: OpenSSL knows nothing of \(field) \"\(list)\" (\(text)).")
    }
    if let list = configuration.ciphers {
      try check(Int(api.pointee.SSL_CTX_set_cipher_list(handle, list)), "ciphers", list)
    }
    if let list = configuration.cipherSuites {
      try check(Int(api.pointee.SSL_CTX_set_ciphersuites(handle, list)), "cipherSuites", list)
    }
    if let list = configuration.groups {
      let result = list.withCString {
        api.pointee.SSL_CTX_ctrl(
          handle, Int32(OPENSSL_CTRL_SET_GROUPS_LIST), 0, UnsafeMutableRawPointer(mutating: $0))
      }
      try check(result, "groups", list)
    }
  }

  private static func encode(_ names: [String]) throws(TLSError) -> [UInt8] {
    var bytes: [UInt8] = []
    for name in names {
      guard (1...255).contains(name.utf8.count) else {
        throw TLSError(
          .invalidConfiguration, "TLS context: an application protocol's name has 1 to 255 bytes, not \"\(name)\".")
      }
      bytes.append(UInt8(name.utf8.count))
      bytes += name.utf8
    }
    guard bytes.count <= Int(UInt16.max) else {
      throw TLSError(.invalidConfiguration, "TLS context: more application protocols than a message has room for.")
    }
    return bytes
  }

  private func setProtocols() {
    guard !protocolNames.isEmpty else { return }
    guard configuration.side == .server else {
      _ = openssl.api.pointee.SSL_CTX_set_alpn_protos(handle, protocolNames, UInt32(protocolNames.count))
      return
    }
    let choose: openssl_alpn_callback = { _, out, length, offered, count, argument in
      guard let argument, let out else { return Int32(OPENSSL_TLSEXT_ERR_NOACK) }
      // Right because the context lives as long as its sessions.
      let own = Unmanaged<OpenSSLContext>.fromOpaque(argument).takeUnretainedValue()
      let offer = UnsafeBufferPointer(start: offered, count: Int(count))
      guard let range = own.chooseProtocol(from: offer) else { return Int32(OPENSSL_TLSEXT_ERR_ALERT_FATAL) }
      out.pointee = offered + range.lowerBound
      length.pointee = UInt8(range.count)
      return Int32(OPENSSL_TLSEXT_ERR_OK)
    }
    openssl.api.pointee.SSL_CTX_set_alpn_select_cb(handle, choose, Unmanaged.passUnretained(self).toOpaque())
  }

  /// Return where in the offer the name is that this side likes best.
  private func chooseProtocol(from offer: UnsafeBufferPointer<UInt8>) -> Range<Int>? {
    for name in configuration.applicationProtocols {
      var index = 0
      while index < offer.count {
        let range = index + 1..<index + 1 + Int(offer[index])
        guard range.upperBound <= offer.count else { break }
        if offer[range].elementsEqual(name.utf8) { return range }
        index = range.upperBound
      }
    }
    return nil
  }

  // MARK: Names

  private func setNames() throws(TLSError) {
    guard configuration.side == .server else { return }
    for (name, identity) in configuration.identitiesByName { others.give(name, to: try other(identity)) }
    if !configuration.furtherIdentities.isEmpty { others.keep(hostnames) }
    for identity in configuration.furtherIdentities {
      let context = try other(identity)
      try others.give(context.hostnames, to: context, of: identity)
    }
    let api = openssl.api
    let choose: openssl_servername_callback = { ssl, _, argument in
      guard let argument else { return Int32(OPENSSL_TLSEXT_ERR_NOACK) }
      // Right because the context lives as long as its sessions.
      let own = Unmanaged<OpenSSLContext>.fromOpaque(argument).takeUnretainedValue()
      let api = own.openssl.api
      guard let name = api.pointee.SSL_get_servername(ssl, Int32(OPENSSL_TLSEXT_NAMETYPE_HOST_NAME)),
        let other = own.contextNamed(String(cString: name))
        // An accepted name is kept with the session, and so known when that is resumed.
      else { return Int32(OPENSSL_TLSEXT_ERR_OK) }
      _ = api.pointee.SSL_set_SSL_CTX(ssl, other.handle)
      return Int32(OPENSSL_TLSEXT_ERR_OK)
    }
    _ = api.pointee.SSL_CTX_callback_ctrl(
      handle, Int32(OPENSSL_CTRL_SET_TLSEXT_SERVERNAME_CB), unsafeBitCast(choose, to: (@convention(c) () -> Void).self)
    )
    _ = api.pointee.SSL_CTX_ctrl(
      handle, Int32(OPENSSL_CTRL_SET_TLSEXT_SERVERNAME_ARG), 0, Unmanaged.passUnretained(self).toOpaque())
  }

  /// The context for the name that a client asks for; nil if it is this one.
  func contextNamed(_ name: String) -> OpenSSLContext? { others.owner(of: name) }

  private func other(_ identity: TLSIdentity) throws(TLSError) -> OpenSSLContext {
    try OpenSSLContext(configuration.withOnly(identity), openssl, sharing: self)
  }

  // MARK: Sessions

  private func setResumption() {
    let api = openssl.api
    guard configuration.resumesSessions else {
      _ = api.pointee.SSL_CTX_ctrl(
        handle, Int32(OPENSSL_CTRL_SET_SESS_CACHE_MODE), OPENSSL_SESS_CACHE_OFF, nil)
      _ = api.pointee.SSL_CTX_set_options(handle, OPENSSL_OP_NO_TICKET)
      _ = api.pointee.SSL_CTX_set_num_tickets(handle, 0)
      return
    }
    if configuration.side == .server {
      // A session that was made with other demands on the client must not be resumed.
      let name = Array("swift-asyncio".utf8)
      _ = api.pointee.SSL_CTX_set_session_id_context(handle, name, UInt32(name.count))
      // Tickets hold the state on the client's side; nothing is kept here.
      _ = api.pointee.SSL_CTX_ctrl(
        handle, Int32(OPENSSL_CTRL_SET_SESS_CACHE_MODE), OPENSSL_SESS_CACHE_OFF, nil)
      return
    }
    _ = api.pointee.SSL_CTX_ctrl(
      handle, Int32(OPENSSL_CTRL_SET_SESS_CACHE_MODE),
      OPENSSL_SESS_CACHE_CLIENT | OPENSSL_SESS_CACHE_NO_INTERNAL, nil)
    api.pointee.SSL_CTX_sess_set_new_cb(handle) { ssl, session in
      guard let own = OpenSSLContext.of(ssl), let service = OpenSSLSession.of(ssl)?.service else { return 0 }
      own.sessions.remember(StoredSession(session, own.openssl), for: service)
      return 1
    }
  }

  func makeSession(serverName: String?, bytes: TLSBytes) throws(TLSError) -> any TLSSession {
    try OpenSSLSession(self, serverName: serverName, bytes)
  }
}
