internal import AsyncIO

/// What a client has of an earlier session.
struct SimulatedTicket: ResumableSession {
  /// What the server wants to see again.
  let bytes: [UInt8]
  let version: TLSVersion
  /// The server's certificates: they were looked at then, and count as looked at.
  let certificates: [SimulatedCertificate]

  var isForOneUse: Bool { version == .tls13 }
}

/// What a server puts into a ticket, so that it has to remember nothing.
struct SimulatedTicketState {
  /// The number of the context that gave it out: others do not take it.
  var context: UInt64
  var version: UInt16
  var clientCertificates: [SimulatedCertificate]

  /// The bytes, behind a checksum.
  var sealed: [UInt8] {
    var body = SimulatedWriter()
    body.number(context)
    body.number(version)
    body.certificates(clientCertificates)
    var ticket = SimulatedWriter()
    ticket.number(Self.checksum(body.written))
    return ticket.written + body.written
  }

  init(context: UInt64, version: UInt16, clientCertificates: [SimulatedCertificate]) {
    (self.context, self.version, self.clientCertificates) = (context, version, clientCertificates)
  }

  /// Read a ticket; nil if it is not one of this kind.
  init?(sealed: [UInt8]) {
    var ticket = SimulatedReader(sealed)
    guard let sum: UInt64 = ticket.number(), sum == Self.checksum(Array(sealed.dropFirst(8))),
      let context: UInt64 = ticket.number(), let version: UInt16 = ticket.number(),
      let certificates = ticket.certificates(), ticket.isAtEnd
    else { return nil }
    self.init(context: context, version: version, clientCertificates: certificates)
  }

  private static func checksum(_ body: [UInt8]) -> UInt64 {
    var digest = SimulatedDigest()
    digest.mix(body)
    return digest.value
  }
}
