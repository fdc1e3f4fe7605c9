/// What went wrong with the protection of a connection, or with what is needed for it.
///
/// The text says which connection or file, what is wrong, and what to do. It never contains keys, passwords or
/// protected bytes.
package struct TLSError: Error, Sendable, CustomStringConvertible {
  /// The kinds of failures, to tell them apart in programs. More may come.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    /// The name of the code.
    package let description: String
    init(_ description: String) { self.description = description }

    // Before a connection.

    /// There is no usable OpenSSL on this machine.
    package static let libraryMissing = Code("libraryMissing")
    /// A certificate, key, list or name that a configuration has cannot be used.
    package static let invalidConfiguration = Code("invalidConfiguration")

    // The other side's certificate.

    /// The certificate, or one of those above it, is not valid any more or not valid yet.
    package static let certificateExpired = Code("certificateExpired")
    /// The certificate comes from an authority that is not trusted, or the chain up to one is incomplete.
    package static let unknownAuthority = Code("unknownAuthority")
    /// The certificate is for other hosts.
    package static let hostnameMismatch = Code("hostnameMismatch")
    /// The certificate is not meant for this use.
    package static let wrongPurpose = Code("wrongPurpose")
    /// The certificate was not accepted for another reason.
    package static let certificateRejected = Code("certificateRejected")
    /// The other side has no certificate, and must have one.
    package static let certificateMissing = Code("certificateMissing")

    // The protocol.

    /// The two sides have no version in common.
    package static let unsupportedVersion = Code("unsupportedVersion")
    /// The two sides have no cipher, group or kind of signature in common.
    package static let noCommonCipher = Code("noCommonCipher")
    /// The two sides have no application protocol in common.
    package static let noApplicationProtocol = Code("noApplicationProtocol")
    /// The other side does not speak TLS.
    package static let notTLS = Code("notTLS")
    /// The other side ended the connection with an alert; the text has its name.
    package static let peerAlert = Code("peerAlert")
    /// What was received breaks the protocol, or was changed on its way.
    package static let protocolViolation = Code("protocolViolation")
    /// The connection ended without the other side's goodbye: bytes may be missing at the end.
    package static let truncated = Code("truncated")
    /// The handshake or the goodbye did not end in time.
    package static let timedOut = Code("timedOut")
  }

  /// What kind of failure it is.
  package let code: Code
  /// What happened and what to do about it.
  package let message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The message and the code.
  package var description: String { "\(message) (TLSError.\(code))" }
}
