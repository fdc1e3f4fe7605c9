internal import COpenSSL

// Certificates and keys from files and texts. OpenSSL reads both with the same functions; what differs is how the
// errors are named.

extension OpenSSLContext {
  /// Load this side's certificate, the chain above it and the key. Returns the hosts that the certificate is for.
  func load(_ identity: TLSIdentity) throws(TLSError) -> [String] {
    let api = openssl.api
    let chain = try PEMText(identity.source.chain, openssl)
    api.pointee.ERR_clear_error()
    guard let certificate = api.pointee.PEM_read_bio_X509_AUX(chain.bio, nil, refuse, nil) else {
      throw noPEM("certificate", chain.name)
    }
    defer { api.pointee.X509_free(certificate) }
    guard api.pointee.SSL_CTX_use_certificate(handle, certificate) == 1 else {
      throw unusable(chain.name)
    }
    while let above = api.pointee.PEM_read_bio_X509(chain.bio, nil, refuse, nil) {
      // The context owns it from here on, if it takes it.
      let result = api.pointee.SSL_CTX_ctrl(handle, Int32(OPENSSL_CTRL_CHAIN_CERT), 0, UnsafeMutableRawPointer(above))
      guard result == 1 else {
        api.pointee.X509_free(above)
        throw unusable(chain.name)
      }
    }
    try checkEnd(of: chain, "certificate")
    try loadKey(identity, chainName: chain.name)
    return openssl.hostnames(certificate)
  }

  private func unusable(_ name: String) -> TLSError {
    TLSError(
      .invalidConfiguration,
      "TLS context: a certificate in \(name) cannot be used: \(openssl.takeError().text). Give another one."
    )
  }

  private func loadKey(_ identity: TLSIdentity, chainName: String) throws(TLSError) {
    let api = openssl.api
    let text = try PEMText(identity.source.key, openssl)
    var request = PasswordRequest(password: Array((identity.password ?? "").utf8))
    api.pointee.ERR_clear_error()
    let key = withUnsafeMutablePointer(to: &request) {
      api.pointee.PEM_read_bio_PrivateKey(text.bio, nil, givePassword, $0)
    }
    guard let key else { throw keyFailure(identity, text.name, wasAsked: request.wasAsked) }
    defer { api.pointee.EVP_PKEY_free(key) }
    guard api.pointee.SSL_CTX_use_PrivateKey(handle, key) == 1, api.pointee.SSL_CTX_check_private_key(handle) == 1
    else {
      _ = openssl.takeError()
      throw TLSError(
        .invalidConfiguration,
        "TLS context: the key in \(text.name) does not belong to the certificate in \(chainName). "
          + "Give the two that were made together.")
    }
  }

  private func keyFailure(_ identity: TLSIdentity, _ name: String, wasAsked: Bool) -> TLSError {
    let text = openssl.takeError().text
    let reason =
      if !wasAsked {
        "there is no key in \(name), or it is damaged (OpenSSL: \(text)). Give a private key in PEM."
      } else if identity.password == nil {
        "the key in \(name) is encrypted. Give its password."
      } else {
        "the password does not fit the encrypted key in \(name), or the key is damaged."
      }
    return TLSError(.invalidConfiguration, "TLS context: \(reason)")
  }

  // MARK: Trust

  /// Load the authorities whose certificates are accepted, unless another context has them, and say how carefully to
  /// look.
  func setTrust(sharing first: OpenSSLContext?) throws(TLSError) {
    let api = openssl.api
    let mode: Int
    switch (configuration.verification, configuration.side) {
    case (.none, _): mode = OPENSSL_VERIFY_NONE
    case (.optional, .client):
      throw TLSError(
        .invalidConfiguration, "TLS context: a server always shows a certificate. Use verification full or none.")
    case (.optional, .server): mode = OPENSSL_VERIFY_PEER
    case (.full, _), (.withoutHostname, _): mode = OPENSSL_VERIFY_PEER | OPENSSL_VERIFY_FAIL_IF_NO_PEER_CERT
    }
    api.pointee.SSL_CTX_set_verify(handle, Int32(mode), nil)
    if mode != OPENSSL_VERIFY_NONE, configuration.trust.sources.isEmpty {
      throw TLSError(
        .invalidConfiguration, "TLS context: certificates are to be verified and none is trusted. Set trust.")
    }
    if let first { return share(first) }
    for source in configuration.trust.sources { try trust(source) }
  }

  /// Share the authorities of another context. OpenSSL counts the references, and locks the store by itself.
  private func share(_ first: OpenSSLContext) {
    let api = openssl.api
    api.pointee.SSL_CTX_set1_cert_store(handle, api.pointee.SSL_CTX_get_cert_store(first.handle))
    guard let names = api.pointee.SSL_CTX_get_client_CA_list(first.handle),
      let copy = api.pointee.SSL_dup_CA_list(names)
    else { return }
    api.pointee.SSL_CTX_set_client_CA_list(handle, copy)
  }

  private func trust(_ source: TLSTrust.Source) throws(TLSError) {
    let api = openssl.api
    switch source {
    case .system:
      guard api.pointee.SSL_CTX_set_default_verify_paths(handle) == 1 else {
        throw TLSError(
          .invalidConfiguration,
          "TLS context: the system's certificates cannot be loaded (\(openssl.takeError().text)). "
            + "Install the package ca-certificates.")
      }
    case .directory(let path):
      guard path.withCString({ api.pointee.SSL_CTX_load_verify_locations(handle, nil, $0) }) == 1 else {
        throw TLSError(
          .invalidConfiguration, "TLS context: the directory \(path) cannot be used: \(openssl.takeError().text).")
      }
    case .file(let path): try addAuthorities(.path(path))
    case .pem(let text): try addAuthorities(.text(text, "the text of the trusted certificates"))
    }
  }

  private func addAuthorities(_ origin: PEMText.Origin) throws(TLSError) {
    let api = openssl.api
    let text = try PEMText(origin, openssl)
    api.pointee.ERR_clear_error()
    let store = api.pointee.SSL_CTX_get_cert_store(handle)
    var count = 0
    while let certificate = api.pointee.PEM_read_bio_X509_AUX(text.bio, nil, refuse, nil) {
      // The store has a count of its own.
      _ = api.pointee.X509_STORE_add_cert(store, certificate)
      // A client is told the names of those whose certificates it may show.
      if configuration.side == .server { _ = api.pointee.SSL_CTX_add_client_CA(handle, certificate) }
      api.pointee.X509_free(certificate)
      count += 1
    }
    if count == 0 { throw noPEM("certificate", text.name) }
    try checkEnd(of: text, "certificate")
  }

  // MARK: PEM

  private func noPEM(_ what: String, _ name: String) -> TLSError {
    TLSError(
      .invalidConfiguration,
      "TLS context: there is no \(what) in \(name), or it is damaged (OpenSSL: \(openssl.takeError().text)). "
        + "Give a \(what) in PEM, which begins with \"-----BEGIN\".")
  }

  /// Throw if reading stopped for another reason than that there is nothing more.
  private func checkEnd(of text: PEMText, _ what: String) throws(TLSError) {
    let error = openssl.takeError()
    // "No start line": nothing more.
    if error.library == 0 || error.library == OpenSSL.Library.pem && error.reason == 108 { return }
    throw TLSError(
      .invalidConfiguration, "TLS context: a \(what) in \(text.name) is damaged (OpenSSL: \(error.text)).")
  }
}

/// Certificates are never encrypted here: no password is asked for on a terminal.
private let refuse: openssl_password_callback = { _, _, _, _ in 0 }

private struct PasswordRequest {
  var password: [UInt8]
  var wasAsked = false
}

private let givePassword: openssl_password_callback = { buffer, size, _, argument in
  guard let argument else { return 0 }
  let request = argument.assumingMemoryBound(to: PasswordRequest.self)
  request.pointee.wasAsked = true
  let password = request.pointee.password
  guard !password.isEmpty, password.count <= Int(size) else { return -1 }
  UnsafeMutableRawBufferPointer(start: buffer, count: Int(size)).copyBytes(from: password)
  return Int32(password.count)
}

extension TLSIdentity.Source {
  var chain: PEMText.Origin {
    switch self {
    case .files(let chain, _): .path(chain)
    case .pem(let chain, _): .text(chain, "the text of the certificate")
    }
  }

  var key: PEMText.Origin {
    switch self {
    case .files(_, let key): .path(key)
    case .pem(_, let key): .text(key, "the text of the key")
    }
  }
}

/// A text in PEM, from a file or from memory, as OpenSSL reads it.
final class PEMText {
  enum Origin {
    case path(String)
    case text(String, String)
  }

  let bio: OpaquePointer
  /// How errors call it.
  let name: String
  private let openssl: OpenSSL

  init(_ origin: Origin, _ openssl: OpenSSL) throws(TLSError) {
    let bytes: [UInt8]
    switch origin {
    case .path(let path):
      name = path
      bytes = try SmallFile.contents(of: path)
    case .text(let text, let name):
      self.name = name
      bytes = Array(text.utf8)
      guard bytes.count <= SmallFile.maximum else { throw SmallFile.tooLarge(name) }
    }
    self.openssl = openssl
    let api = openssl.api
    guard let memory = api.pointee.BIO_new(api.pointee.BIO_s_mem()) else {
      throw TLSError(.invalidConfiguration, "TLS context: no memory for \(name).")
    }
    bio = memory
    // OpenSSL's memory copies what is written into it.
    bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      _ = api.pointee.BIO_write(memory, base, Int32(bytes.count))
    }
  }

  deinit { _ = openssl.api.pointee.BIO_free(bio) }
}
