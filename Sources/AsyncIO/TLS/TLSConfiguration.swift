/// A certificate with its chain, and the key that belongs to it. Answers the arguments of `load_cert_chain`.
public struct TLSIdentity: Sendable {
  /// Where the texts are.
  package enum Source: Sendable {
    case files(chain: String, key: String)
    case pem(chain: String, key: String)
  }

  package let source: Source
  let password: String?

  /// Name the files of a certificate, followed by the certificates that lead to its authority, and of its key, both in
  /// PEM. They are read when a ``TLSContext`` is made, and not kept open.
  ///
  /// - Parameters:
  ///   - chain: the path of the certificates.
  ///   - key: the path of the key; nil if it is in the same file.
  ///   - password: what an encrypted key is decrypted with.
  public static func files(chain: String, key: String? = nil, password: String? = nil) -> TLSIdentity {
    TLSIdentity(source: .files(chain: chain, key: key ?? chain), password: password)
  }

  /// Give the texts themselves, in PEM.
  public static func pem(chain: String, key: String, password: String? = nil) -> TLSIdentity {
    TLSIdentity(source: .pem(chain: chain, key: key), password: password)
  }
}

/// The authorities whose certificates are accepted. Answers `load_default_certs` and `load_verify_locations`.
public struct TLSTrust: Sendable {
  package enum Source: Sendable {
    case system
    case file(String)
    case directory(String)
    case pem(String)
  }

  package var sources: [Source]

  /// Trust what the system trusts.
  public static let system = TLSTrust(sources: [.system])

  /// Trust the authorities whose certificates are in a file, in PEM.
  public static func file(_ path: String) -> TLSTrust { TLSTrust(sources: [.file(path)]) }

  /// Trust the authorities whose certificates are in a directory, under the names that `openssl rehash` gives them.
  public static func directory(_ path: String) -> TLSTrust { TLSTrust(sources: [.directory(path)]) }

  /// Trust the authorities whose certificates are in a text, in PEM.
  public static func pem(_ text: String) -> TLSTrust { TLSTrust(sources: [.pem(text)]) }

  /// Trust both.
  public static func + (a: TLSTrust, b: TLSTrust) -> TLSTrust { TLSTrust(sources: a.sources + b.sources) }
}

/// How carefully the other side's certificate is looked at. Answers `verify_mode` and `check_hostname`.
public enum TLSVerification: Sendable {
  /// Look at the certificate if there is one, and at the host name in it. Only servers may go without: clients do.
  case full
  /// Look at the certificate, and do not compare the host name.
  case withoutHostname
  /// Servers only: accept clients without a certificate, and look at the certificates of the others.
  case optional
  /// Accept anybody. The connection is protected from listeners, and not from somebody in between.
  case none
}

/// The settings from which a ``TLSContext`` is made. Answers the attributes of `ssl.SSLContext`.
///
/// ```swift
/// var configuration = TLSConfiguration.client()
/// configuration.applicationProtocols = ["h2", "http/1.1"]
/// let context = try TLSContext(configuration)
/// ```
public struct TLSConfiguration: Sendable {
  /// On which side of a connection the context is used.
  public enum Side: Sendable { case client, server }

  /// The side that it is for.
  public let side: Side
  /// The certificate and key of this side. A server needs one; a client that has one shows it when it is asked.
  public var identity: TLSIdentity?
  /// Certificates of a server for certain host names, chosen by the name that the client asks for. A name may begin
  /// with "*.", for every name with one label more. Other names get ``identity``.
  public var identitiesByName: [String: TLSIdentity] = [:]
  /// Further certificates of a server, chosen by the names of hosts that are in them. A whole name goes before one with
  /// "*.", and of several certificates with one name the first gets it; ``identity`` comes before all of these. A
  /// certificate for which no name is left is an error.
  public var furtherIdentities: [TLSIdentity] = []
  /// Whose certificates are accepted.
  public var trust: TLSTrust
  /// How carefully the other side's certificate is looked at: `full` for a client, `none` for a server.
  public var verification: TLSVerification
  /// The oldest version that is spoken.
  public var minimumVersion = TLSVersion.tls12
  /// The newest version that is spoken.
  public var maximumVersion = TLSVersion.tls13
  /// The ciphers of TLS 1.2 in the words of `openssl ciphers`; nil for OpenSSL's choice. Answers `set_ciphers`.
  public var ciphers: String?
  /// The cipher suites of TLS 1.3, separated by colons; nil for OpenSSL's choice.
  public var cipherSuites: String?
  /// The groups for the exchange of keys, separated by colons; nil for OpenSSL's choice.
  public var groups: String?
  /// The application protocols that this side speaks, the one it likes best first. Answers `set_alpn_protocols`.
  public var applicationProtocols: [String] = []
  /// Whether a client may go on with what it agreed on with the server before, and a server gives out what is needed
  /// for that. It saves the dearest part of a handshake.
  public var resumesSessions = true
  /// A file to which the secrets of each connection are appended, for programs that look into recorded traffic. A
  /// reader of that file can read the connections. By default the environment's `SSLKEYLOGFILE`, as in other
  /// programs.
  public var keyLogFile = Environment.keyLogFile

  /// How long handshakes and shutdowns may take. Answers `ssl_handshake_timeout` and `ssl_shutdown_timeout`.
  public var limits = TLSLimits.standard

  /// Settings for the side that connects: it trusts what the system trusts, and checks the host name.
  ///
  /// - Parameter trust: whose certificates are accepted.
  public static func client(trusting trust: TLSTrust = .system) -> TLSConfiguration {
    TLSConfiguration(side: .client, trust: trust, verification: .full)
  }

  /// Settings for the side that listens: it asks its clients for no certificates.
  public static func server(_ identity: TLSIdentity) -> TLSConfiguration {
    var configuration = TLSConfiguration(side: .server, trust: TLSTrust(sources: []), verification: .none)
    configuration.identity = identity
    return configuration
  }

  private init(side: Side, trust: TLSTrust, verification: TLSVerification) {
    self.side = side
    self.trust = trust
    self.verification = verification
  }
}
