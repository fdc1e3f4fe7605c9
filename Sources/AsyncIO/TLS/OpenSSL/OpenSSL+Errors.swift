internal import COpenSSL

// What OpenSSL's queue of errors means. The queue belongs to the thread, and what an earlier call left there would be
// taken for the reason of the next failure: so it is emptied before each call that is asked about, and read at once.

extension OpenSSL {
  /// The library and the reason of an entry of the queue, whose layout changed with 3.0.
  private func parts(_ code: UInt) -> (library: Int, reason: Int) {
    isBefore3
      ? (Int(code >> 24) & 0xFF, Int(code) & 0xFFF) : (Int(code >> 23) & 0xFF, Int(code) & 0x7F_FFFF)
  }

  private var isBefore3: Bool { api.pointee.version >> 28 < 3 }

  /// Empty the queue and return its first entry: the cause of those that follow.
  ///
  /// - Parameter newest: return the last entry, as the first ones may be of others.
  func takeError(newest: Bool = false) -> (library: Int, reason: Int, text: String) {
    let entry = newest ? api.pointee.ERR_peek_last_error() : api.pointee.ERR_get_error()
    guard entry != 0 else { return (0, 0, "no reason given") }
    let text = api.pointee.ERR_reason_error_string(entry).map { String(cString: $0) } ?? "error \(entry)"
    api.pointee.ERR_clear_error()
    let (library, reason) = parts(UInt(entry))
    return (library, reason, text)
  }

  /// Return what a failed step of a session means.
  ///
  /// - Parameters:
  ///   - isHandshake: nothing was agreed on yet.
  ///   - isClean: the queue was empty before the step.
  func failure(
    of ssl: OpaquePointer, result: Int32, isHandshake: Bool, isClean: Bool, inputHasEnded: Bool
  ) -> TLSError {
    let kind = Int(api.pointee.SSL_get_error(ssl, result))
    let (library, reason, text) = takeError(newest: !isClean)
    let step = isHandshake ? "TLS handshake" : "TLS"
    if library == Library.ssl, reason == Reason.certificateVerifyFailed {
      return certificateFailure(api.pointee.SSL_get_verify_result(ssl), "TLS handshake")
    }
    let hasEnded = library == 0 && inputHasEnded || library == Library.ssl && reason == Reason.unexpectedEOF
    if hasEnded || kind == OPENSSL_ERROR_SYSCALL && inputHasEnded {
      return isHandshake
        ? TLSError(
          .truncated,
          "TLS handshake: the other side closed the connection before it was over. See its log for the reason.")
        : TLSError(
          .truncated,
          "TLS: the connection ended without the other side's close_notify. What was received may be incomplete.")
    }
    if library == Library.ssl, let (code, explanation) = Reason.explain(reason, isHandshake: isHandshake) {
      return TLSError(code, "\(step): \(explanation) (OpenSSL: \(text))")
    }
    return TLSError(.protocolViolation, "\(step): what was received breaks the protocol (OpenSSL: \(text))")
  }

  /// Return what the result of a certificate's verification means. The numbers are those of x509_vfy.h, in which one
  /// has changed with 3.0: where 1.1.1 has INVALID_CA, there is now an authority without a key.
  func certificateFailure(_ result: CLong, _ step: String) -> TLSError {
    let text = String(cString: api.pointee.X509_verify_cert_error_string(result))
    let (code, fix): (TLSError.Code, String) =
      switch result {
      case 9:  // X509_V_ERR_CERT_NOT_YET_VALID
        (.certificateExpired, "Its time has not come yet: compare the clocks of both machines.")
      case 10:  // X509_V_ERR_CERT_HAS_EXPIRED
        (.certificateExpired, "It must be renewed on the other side.")
      case 18,  // X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        19:  // X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
        (.unknownAuthority, "It is signed by itself. If it is the right one, add it with TLSTrust.file or .pem.")
      case 2,  // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
        20,  // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        21,  // X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
        27:  // X509_V_ERR_CERT_UNTRUSTED
        (
          .unknownAuthority,
          "Its authority is not trusted, or the other side does not send the certificates in between. "
            + "Add the authority with TLSTrust.file or .pem, or complete the chain on the other side."
        )
      case 62:  // X509_V_ERR_HOSTNAME_MISMATCH
        (.hostnameMismatch, "It is for other hosts. Connect by a name that it has, or give serverHostname.")
      case 63,  // X509_V_ERR_EMAIL_MISMATCH
        64:  // X509_V_ERR_IP_ADDRESS_MISMATCH
        (.hostnameMismatch, "It is for other addresses. Connect by a name that it has.")
      case 26:  // X509_V_ERR_INVALID_PURPOSE
        (.wrongPurpose, "Its extended key usage does not allow this use.")
      case 24 where isBefore3,
        79:  // X509_V_ERR_INVALID_CA
        (.wrongPurpose, "One of those above it is not for an authority. It must be renewed on the other side.")
      case 23:  // X509_V_ERR_CERT_REVOKED
        (.certificateRejected, "Its authority has revoked it.")
      default: (.certificateRejected, "It was refused.")
      }
    return TLSError(code, "\(step): the other side's certificate is not accepted: \(text). \(fix)")
  }

  // The names behind the numbers are the header's, and `Scripts/check-openssl` compares the two.

  enum Library {
    static let pem = 9  // ERR_LIB_PEM
    static let ssl = 20  // ERR_LIB_SSL
  }

  /// Reasons of libssl, by their numbers in sslerr.h, which do not change.
  enum Reason {
    static let certificateVerifyFailed = 134  // SSL_R_CERTIFICATE_VERIFY_FAILED
    static let unexpectedEOF = 294  // SSL_R_UNEXPECTED_EOF_WHILE_READING

    static func explain(_ reason: Int, isHandshake: Bool) -> (TLSError.Code, String)? {
      switch reason {
      case 155,  // SSL_R_HTTPS_PROXY_REQUEST
        156:  // SSL_R_HTTP_REQUEST
        (.notTLS, "the other side sent a plain HTTP request. Use https, or a port without TLS.")
      // Later it is a record that somebody has changed or put in.
      case 267 where isHandshake:  // SSL_R_WRONG_VERSION_NUMBER
        (.notTLS, "the other side does not speak TLS here, or a version that is not known. Check the port.")
      case 166,  // SSL_R_VERSION_TOO_HIGH
        258,  // SSL_R_UNSUPPORTED_PROTOCOL
        259,  // SSL_R_UNSUPPORTED_SSL_VERSION
        266,  // SSL_R_WRONG_SSL_VERSION
        396:  // SSL_R_VERSION_TOO_LOW
        (.unsupportedVersion, "no version in common. Compare minimumVersion and maximumVersion of both sides.")
      case 191:  // SSL_R_NO_PROTOCOLS_AVAILABLE
        (.unsupportedVersion, "no version is left between minimumVersion and maximumVersion.")
      case 181,  // SSL_R_NO_CIPHERS_AVAILABLE
        193:  // SSL_R_NO_SHARED_CIPHER
        (.noCommonCipher, "no cipher in common. Compare the ciphers of both sides.")
      case 101,  // SSL_R_NO_SUITABLE_KEY_SHARE
        118,  // SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM
        295,  // SSL_R_NO_SUITABLE_GROUPS
        376,  // SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS
        410:  // SSL_R_NO_SHARED_GROUPS
        (.noCommonCipher, "no group or kind of signature in common.")
      case 235:  // SSL_R_NO_APPLICATION_PROTOCOL
        (.noApplicationProtocol, "no application protocol in common. Compare applicationProtocols.")
      case 199:  // SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE
        (.certificateMissing, "the other side showed no certificate, and must have one.")
      case 176,  // SSL_R_NO_CERTIFICATES_RETURNED
        177,  // SSL_R_NO_CERTIFICATE_ASSIGNED
        179:  // SSL_R_NO_CERTIFICATE_SET
        (.certificateMissing, "there is no certificate for this connection.")
      case 1000...1255: TLSAlert.explain(reason - 1000)
      default: nil
      }
    }
  }
}
