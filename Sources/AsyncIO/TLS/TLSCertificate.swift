/// A certificate as the other side of a connection presented it.
public struct TLSCertificate: Hashable, Sendable {
  /// The certificate in DER. Answers `getpeercert(binary_form=True)`.
  public let der: [UInt8]
  /// Whom it is for, in the form of RFC 2253: "CN=example.org,O=Example".
  public let subject: String
  /// Who signed it, in the same form.
  public let issuer: String
  /// The names and addresses of the hosts that it is for: the subject's alternative names.
  public let hostnames: [String]
  /// When it begins to be valid, in seconds since 1970.
  public let notBefore: Int64
  /// When it stops being valid, in seconds since 1970.
  public let notAfter: Int64

  package init(
    der: [UInt8], subject: String, issuer: String, hostnames: [String], notBefore: Int64, notAfter: Int64
  ) {
    self.der = der
    self.subject = subject
    self.issuer = issuer
    self.hostnames = hostnames
    self.notBefore = notBefore
    self.notAfter = notAfter
  }
}

/// What the two sides of a connection have agreed on.
public struct TLSInformation: Sendable {
  /// The version of the protocol, for example "TLSv1.3". Answers `version()`.
  public let version: String
  /// The name of the cipher and its strength in bits. Answers `cipher()`.
  public let cipher: (name: String, bits: Int)
  /// The application protocol that was chosen; `nil` if none was. Answers `selected_alpn_protocol()`.
  public let applicationProtocol: String?
  /// The host name that the client asked for; `nil` if it gave none.
  public let serverName: String?
  /// True if an earlier session was resumed. Answers `session_reused`.
  public let isResumed: Bool
  /// The other side's certificates, its own first; none if it has none. Answers `getpeercert()`.
  public let peerCertificates: [TLSCertificate]

  package init(
    version: String, cipher: (name: String, bits: Int), applicationProtocol: String?, serverName: String?,
    isResumed: Bool, peerCertificates: [TLSCertificate]
  ) {
    self.version = version
    self.cipher = cipher
    self.applicationProtocol = applicationProtocol
    self.serverName = serverName
    self.isResumed = isResumed
    self.peerCertificates = peerCertificates
  }
}
