/// What went wrong with the protection of a connection, or with what is needed for it.
///
/// The text says which connection or file, what is wrong, and what to do. It never contains keys, passwords or
/// protected bytes.
public struct TLSError: Error, Sendable, CustomStringConvertible {
  /// The kinds of failures, to tell them apart in programs. More may come.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    /// The name of the code.
    public let description: String
    init(_ description: String) { self.description = description }

    // Before a connection.

    /// There is no usable OpenSSL on this machine.
    public static let libraryMissing = Code("libraryMissing")
    /// A certificate, key, list or name that a configuration has cannot be used.
    public static let invalidConfiguration = Code("invalidConfiguration")

    // The other side's certificate.

    /// The certificate, or one of those above it, is not valid any more or not valid yet.
    public static let certificateExpired = Code("certificateExpired")
    /// The certificate comes from an authority that is not trusted, or the chain up to one is incomplete.
    public static let unknownAuthority = Code("unknownAuthority")
    /// The certificate is for other hosts.
    public static let hostnameMismatch = Code("hostnameMismatch")
    /// The certificate is not meant for this use.
    public static let wrongPurpose = Code("wrongPurpose")
    /// The certificate was not accepted for another reason.
    public static let certificateRejected = Code("certificateRejected")
    /// The other side has no certificate, and must have one.
    public static let certificateMissing = Code("certificateMissing")

    // The protocol.

    /// The two sides have no version in common.
    public static let unsupportedVersion = Code("unsupportedVersion")
    /// The two sides have no cipher, group or kind of signature in common.
    public static let noCommonCipher = Code("noCommonCipher")
    /// The two sides have no application protocol in common.
    public static let noApplicationProtocol = Code("noApplicationProtocol")
    /// The other side does not speak TLS.
    public static let notTLS = Code("notTLS")
    /// The other side ended the connection with an alert; the text has its name.
    public static let peerAlert = Code("peerAlert")
    /// What was received breaks the protocol, or was changed on its way.
    public static let protocolViolation = Code("protocolViolation")
    /// The connection ended without the other side's goodbye: bytes may be missing at the end.
    public static let truncated = Code("truncated")
    /// The handshake or the goodbye did not end in time.
    public static let timedOut = Code("timedOut")
  }

  /// What kind of failure it is.
  public let code: Code
  /// What happened and what to do about it.
  public let message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The message and the code.
  public var description: String { "\(message) (TLSError.\(code))" }
}
