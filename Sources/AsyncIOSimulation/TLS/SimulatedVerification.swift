internal import AsyncIO

/// Why a session ends: the failure of this side, and the alert that the other side gets.
struct SimulatedFault: Error {
  let code: TLSError.Code
  let text: String
  /// The number of the alert; nil if the other side is told nothing.
  let alert: UInt8?

  init(_ code: TLSError.Code, _ text: String, alert: UInt8?) {
    (self.code, self.text, self.alert) = (code, text, alert)
  }

  static func damaged(_ what: String, alert: UInt8 = 20) -> SimulatedFault {
    SimulatedFault(.protocolViolation, "what was received breaks the protocol: \(what)", alert: alert)
  }

  static func certificate(_ code: TLSError.Code, _ reason: String, alert: UInt8) -> SimulatedFault {
    SimulatedFault(code, "the other side's certificate is not accepted: \(reason)", alert: alert)
  }
}

/// How the certificates of the other side are looked at, in OpenSSL's order: the authorities above them, what
/// they are for, the host, the time.
struct SimulatedVerification {
  let authorities: [SimulatedCertificate]
  /// In seconds since 1970.
  let now: Int64

  /// Throw the reason why the chain is not accepted.
  ///
  /// - Parameters:
  ///   - chain: the certificate of the other side first; not empty.
  ///   - host: the host that it must be for; nil for any.
  func check(
    _ chain: [SimulatedCertificate], for purpose: SimulatedTLS.Purpose, host: String?
  ) throws(SimulatedFault) {
    let path = try path(chain)
    let own = chain[0]
    guard own.purposes.isEmpty || own.purposes.contains(purpose) else {
      throw .certificate(
        .wrongPurpose, "unsuitable certificate purpose. Its extended key usage does not allow this use.", alert: 43)
    }
    if let host, !own.fits(host) {
      let fix = "Connect by a name that it has\(host.isHostAddress ? "" : ", or give serverHostname")."
      let what = host.isHostAddress ? "address" : "host"
      throw .certificate(.hostnameMismatch, "\(what) mismatch. It is for other \(what)es. \(fix)", alert: 42)
    }
    for certificate in path {
      guard now >= certificate.notBefore else {
        throw .certificate(
          .certificateExpired,
          "certificate is not yet valid. Its time has not come yet: compare the clocks of both machines.", alert: 42)
      }
      guard now <= certificate.notAfter else {
        throw .certificate(
          .certificateExpired, "certificate has expired. It must be renewed on the other side.", alert: 45)
      }
    }
  }

  /// Return the certificates up to an authority that is trusted.
  private func path(_ chain: [SimulatedCertificate]) throws(SimulatedFault) -> [SimulatedCertificate] {
    var path = [chain[0]]
    while let last = path.last, path.count <= chain.count {
      if authorities.contains(last) { return path }
      if let authority = authorities.first(where: { $0.subject == last.issuer && $0.isAuthority }) {
        return path + [authority]
      }
      if last.issuer == last.subject {
        throw .certificate(
          .unknownAuthority,
          "self-signed certificate. It is signed by itself. If it is the right one, add it with TLSTrust.pem.",
          alert: 48)
      }
      guard let above = chain.first(where: { $0.subject == last.issuer && $0.isAuthority }) else { break }
      path.append(above)
    }
    throw .certificate(
      .unknownAuthority,
      "unable to get local issuer certificate. Its authority is not trusted, or the other side does not send the "
        + "certificates in between. Add the authority with TLSTrust.pem, or complete the chain on the other side.",
      alert: 48)
  }
}
