internal import AsyncIO

/// Settings with their certificates, checked and read, without what differs between names.
struct SimulatedSettings: Sendable {
  let configuration: TLSConfiguration
  /// This side's certificate first; none if it has none.
  let identity: [SimulatedCertificate]
  let authorities: [SimulatedCertificate]
  /// Those of both versions, the best one first.
  let ciphers: [String]
  let groups: [String]

  private static let ciphersOf12 = [
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
  ]
  private static let suitesOf13 = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"]
  private static let knownGroups = ["X25519", "P-256", "P-384", "P-521"]

  init(_ configuration: TLSConfiguration) throws(TLSError) {
    let (least, most) = (configuration.minimumVersion, configuration.maximumVersion)
    guard least <= most else {
      throw TLSError(
        .invalidConfiguration, "TLS context: the minimum version \(least) is newer than the maximum \(most).")
    }
    self.configuration = configuration
    ciphers =
      try Self.choose(configuration.ciphers, of: Self.ciphersOf12, "ciphers")
      + Self.choose(configuration.cipherSuites, of: Self.suitesOf13, "cipherSuites")
    groups = try Self.choose(configuration.groups, of: Self.knownGroups, "groups")
    try Self.checkProtocols(configuration.applicationProtocols)
    authorities = try Self.authorities(configuration)
    guard configuration.identity != nil || configuration.side == .client else {
      throw TLSError(.invalidConfiguration, "TLS context: a server needs a certificate. Set identity.")
    }
    identity = Self.completed(try configuration.identity.map(Self.load) ?? [], authorities)
  }

  /// Return the chain with the authority above it, if it has nothing in between and this side knows the authority: so
  /// does OpenSSL.
  private static func completed(
    _ chain: [SimulatedCertificate], _ authorities: [SimulatedCertificate]
  ) -> [SimulatedCertificate] {
    guard chain.count == 1, let authority = authorities.first(where: { $0.subject == chain[0].issuer }) else {
      return chain
    }
    return chain + [authority]
  }

  /// Return the names of a list that are known, in the list's order.
  private static func choose(_ list: String?, of known: [String], _ name: String) throws(TLSError) -> [String] {
    guard let list else { return known }
    let words = list.split(whereSeparator: { $0 == ":" || $0 == "," || $0 == " " }).map(String.init)
    if words.contains(where: ["DEFAULT", "ALL", "HIGH"].contains) { return known }
    let chosen = words.filter(known.contains)
    guard !chosen.isEmpty else {
      throw TLSError(
        .invalidConfiguration,
        "TLS context: \(name) is \"\(list)\", of which a simulation knows nothing. It knows \(known[0]), for example.")
    }
    return chosen
  }

  private static func checkProtocols(_ names: [String]) throws(TLSError) {
    for name in names where !(1...255).contains(name.utf8.count) {
      throw TLSError(
        .invalidConfiguration, "TLS context: an application protocol's name has 1 to 255 bytes, not \"\(name)\".")
    }
    guard names.reduce(0, { $0 + $1.utf8.count + 1 }) <= Int(UInt16.max) else {
      throw TLSError(.invalidConfiguration, "TLS context: more application protocols than a message has room for.")
    }
  }

  // MARK: Certificates

  private static func authorities(_ configuration: TLSConfiguration) throws(TLSError) -> [SimulatedCertificate] {
    switch (configuration.verification, configuration.side) {
    case (.none, _): break
    case (.optional, .client):
      throw TLSError(
        .invalidConfiguration, "TLS context: a server always shows a certificate. Use verification full or none.")
    default:
      guard !configuration.trust.sources.isEmpty else {
        throw TLSError(
          .invalidConfiguration, "TLS context: certificates are to be verified and none is trusted. Set trust.")
      }
    }
    var authorities: [SimulatedCertificate] = []
    for source in configuration.trust.sources {
      switch source {
      case .system:
        authorities += try SimulatedPEM.certificates(
          in: SimulatedTLS.authority(SimulatedTLS.systemAuthority), called: "the system's trust")
      case .pem(let text):
        authorities += try SimulatedPEM.certificates(in: text, called: "the text of the trusted certificates")
      case .file(let path), .directory(let path): throw noFiles(path, "TLSTrust.pem and SimulatedTLS.authority")
      }
    }
    return authorities
  }

  private static func load(_ identity: TLSIdentity) throws(TLSError) -> [SimulatedCertificate] {
    switch identity.source {
    case .files(let path, _): throw noFiles(path, "SimulatedTLS.identity")
    case .pem(let chainText, let keyText):
      let chain = try SimulatedPEM.certificates(in: chainText, called: "the text of the certificate")
      let key = try SimulatedPEM.parts(.key, in: keyText, called: "the text of the key")[0]
      guard key == ["for: \(String(chain[0].fingerprint, radix: 16))"] else {
        throw TLSError(
          .invalidConfiguration,
          "TLS context: the key in the text of the key does not belong to the certificate in the text of the "
            + "certificate. Give the two that were made together.")
      }
      return chain
    }
  }

  private static func noFiles(_ path: String, _ fix: String) -> TLSError {
    TLSError(
      .invalidConfiguration,
      "TLS context: \(path) is a file of the machine, and a simulation uses none of its certificates. Use \(fix).")
  }
}

/// What the sessions with the same settings share. Any thread.
final class SimulatedTLSContext: TLSProviderContext {
  let provider: SimulatedTLSProvider
  /// Tells it from the other contexts of its provider.
  let number: UInt64
  let settings: SimulatedSettings
  /// The settings for certain names.
  private let others: TLSNames<SimulatedSettings>
  let sessions = SessionCache<SimulatedTicket>()

  init(_ configuration: TLSConfiguration, _ provider: SimulatedTLSProvider) throws(TLSError) {
    self.provider = provider
    number = provider.nextNumber()
    settings = try SimulatedSettings(configuration)
    var others = TLSNames<SimulatedSettings>()
    for (name, identity) in configuration.identitiesByName {
      others.give(name, to: try SimulatedSettings(configuration.withOnly(identity)))
    }
    if !configuration.furtherIdentities.isEmpty { others.keep(settings.identity.first?.hosts ?? []) }
    for identity in configuration.furtherIdentities {
      let own = try SimulatedSettings(configuration.withOnly(identity))
      try others.give(own.identity.first?.hosts ?? [], to: own, of: identity)
    }
    self.others = others
  }

  /// Return the settings for the name that a client asks for.
  func settings(for name: String?) -> SimulatedSettings {
    name.flatMap { others.owner(of: $0) } ?? settings
  }

  func makeSession(serverName: String?, bytes: TLSBytes) throws(TLSError) -> any TLSSession {
    if settings.configuration.side == .client { try check(serverName) }
    return SimulatedTLSSession(self, serverName: serverName.flatMap { $0.isEmpty ? nil : $0 }, bytes)
  }

  private func check(_ name: String?) throws(TLSError) {
    guard let name, !name.isEmpty else {
      guard settings.configuration.verification == .full else { return }
      throw TLSError(
        .invalidConfiguration,
        "TLS: the certificate is to be for a host, and there is no host name. Give serverHostname.")
    }
    guard !name.utf8.contains(0), name.utf8.count <= 253 else {
      throw TLSError(.invalidConfiguration, "TLS: \"\(name)\" is not the name of a host.")
    }
  }
}
