/// What the alerts of the protocol mean, by their numbers. The other side ends a connection with one of them.
package enum TLSAlert {
  /// Return the kind of failure that an alert of the other side stands for, and what it says.
  package static func explain(_ number: Int) -> (TLSError.Code, String) {
    let name = names[number] ?? "alert \(number)"
    let what = "the other side ended the connection with the alert \(name)."
    return switch number {
    case 40: (.peerAlert, "\(what) Mostly: no version, cipher or certificate in common.")
    case 42, 43, 44, 45, 46: (.peerAlert, "\(what) It does not accept this side's certificate.")
    case 48: (.peerAlert, "\(what) It does not trust the authority of this side's certificate.")
    case 70: (.unsupportedVersion, "\(what) No version in common.")
    case 71: (.noCommonCipher, "\(what) It wants stronger ciphers.")
    case 112: (.peerAlert, "\(what) It has no certificate for the name that was asked for.")
    case 116: (.certificateMissing, "\(what) It wants a certificate: set identity.")
    case 120: (.noApplicationProtocol, "\(what) No application protocol in common.")
    default: (.peerAlert, what)
    }
  }

  private static let names: [Int: String] = [
    10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
    46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 112: "unrecognized_name", 116: "certificate_required",
    120: "no_application_protocol",
  ]
}
