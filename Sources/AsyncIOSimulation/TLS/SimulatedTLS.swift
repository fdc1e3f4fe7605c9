public import AsyncIO

// TLS without cryptography, for simulations: OpenSSL draws random numbers and looks at the real clock, so its bytes are
// others in each run, and no seed replays. What is here has the same states, checks and failures, and every byte of it
// follows from a counter. The traps:
//
// - It protects nothing. Anybody can read and forge what it sends; so a context of it is refused on other loops.
// - The bytes of a record are not the user's, and a record has a checksum: a program that takes plain bytes for
//   protected ones fails here as it does over OpenSSL, and so does a link that loses, doubles or mixes up a byte.
// - A certificate is a text that says who it is for and which authority has signed it. The signature is the name of
//   that authority, which every program can write. That is enough to see who trusts whom, and nothing more.

/// Certificates for simulations.
///
/// ```swift
/// let server = try TLSContext(.server(SimulatedTLS.identity(hosts: ["server"])))
/// let client = try TLSContext(.client())
/// ```
///
/// In a simulation `TLSTrust.system` trusts the authority that signs unless another one is named.
public enum SimulatedTLS {
  /// What a certificate may be used for.
  public enum Purpose: String, Sendable { case server, client }

  /// The authority that a simulated system trusts.
  public static let systemAuthority = "system"
  /// The date at which every simulation begins, 2020-01-01, in seconds since 1970.
  public static let beginning: Int64 = 1_577_836_800

  /// Make a certificate and its key.
  ///
  /// - Parameters:
  ///   - name: the common name of the subject; the first of the hosts, or "somebody", unless given.
  ///   - hosts: names and addresses of the hosts that it is for; a name may begin with "*.".
  ///   - authority: the name of the authority that has signed it; its own name for one that is signed by itself.
  ///   - purposes: what it may be used for; for everything if empty.
  ///   - valid: when it is valid, in seconds from the beginning of the simulation. A year before and after it unless
  ///     given.
  ///   - chain: the certificates in between, as ``authority(_:signedBy:)`` makes them.
  public static func identity(
    _ name: String? = nil, hosts: [String] = [], authority: String = systemAuthority, purposes: [Purpose] = [],
    valid: Range<Int64> = -31_536_000..<31_536_000, chain: [String] = []
  ) -> TLSIdentity {
    let certificate = SimulatedCertificate(
      subject: "CN=\(name ?? hosts.first ?? "somebody")", issuer: "CN=\(authority)", hosts: hosts, purposes: purposes,
      isAuthority: false, notBefore: date(valid.lowerBound), notAfter: date(valid.upperBound))
    let key = SimulatedPEM.text(.key, ["for: \(String(certificate.fingerprint, radix: 16))"])
    return .pem(chain: ([certificate.pem] + chain).joined(separator: "\n"), key: key)
  }

  /// Return the date this many seconds after the beginning, or the first or last date that the type has.
  private static func date(_ seconds: Int64) -> Int64 {
    let (date, isBeyond) = beginning.addingReportingOverflow(seconds)
    return isBeyond ? (seconds < 0 ? .min : .max) : date
  }

  /// Return the certificate of an authority, as a text.
  ///
  /// - Parameters:
  ///   - name: the name of the authority.
  ///   - other: the authority that has signed it; itself if nil.
  public static func authority(_ name: String, signedBy other: String? = nil) -> String {
    SimulatedCertificate(
      subject: "CN=\(name)", issuer: "CN=\(other ?? name)", hosts: [], purposes: [], isAuthority: true,
      notBefore: beginning - 31_536_000, notAfter: beginning + 31_536_000
    ).pem
  }

  /// Trust authorities by their names.
  public static func trust(_ names: String...) -> TLSTrust {
    .pem(names.map { authority($0) }.joined(separator: "\n"))
  }
}
