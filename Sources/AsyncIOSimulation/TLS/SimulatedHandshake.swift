internal import AsyncIO

// The two sides of a handshake as machines: a message goes in, and actions come out. Both versions have
// the same messages, and end in the order of their real ones:
//
//     TLS 1.3                                TLS 1.2
//     client hello                →          client hello                →
//       ← server hello, certificate, finished   ← server hello, certificate, finished
//     certificate, finished       →          certificate, finished       →
//       ← tickets                              ← ticket, finished
//
// The traps:
//
// - In TLS 1.3 a client is done when it has sent its last message. Whether the server likes its certificate it learns
//   later, in a read; in TLS 1.2 it learns it in the handshake. A resumed session of TLS 1.2 ends as one of TLS 1.3.
// - Tickets come after the handshake in TLS 1.3: a client that never reads leaves them in the system, and its close
//   has unread bytes.
// - Each `finished` has a number for all messages before it. So a hello that was changed on its way, which no checksum
//   protects, ends the handshake, and versions cannot be talked down.

/// What is to be done after a message.
enum SimulatedAction {
  /// Send a message, with its type and length.
  case send([UInt8])
  /// Protect both directions from here on.
  case protect(UInt64)
  case remember(SimulatedTicket)
  case established(SimulatedAgreement)
}

/// What was agreed on.
struct SimulatedAgreement {
  var version: TLSVersion
  var cipher: String
  var applicationProtocol: String?
  var serverName: String?
  var isResumed: Bool
  var peerCertificates: [SimulatedCertificate]

  /// The strength of the real cipher of that name.
  var bits: Int { cipher.contains("AES_128") || cipher.contains("AES128") ? 128 : 256 }
}

/// What both machines have.
struct SimulatedTranscript {
  private var digest = SimulatedDigest()
  var value: UInt64 { digest.value }

  mutating func add(_ message: [UInt8]) { digest.mix(message) }

  /// Note a message of this side, and return the action that sends it.
  mutating func sending(_ message: SimulatedMessage) -> SimulatedAction {
    let bytes = message.encoded
    add(bytes)
    return .send(bytes)
  }

  /// Throw if the other side has seen other messages than this one.
  func check(_ value: UInt64) throws(SimulatedFault) {
    guard value == self.value else { throw .damaged("the two sides have seen different messages", alert: 51) }
  }
}

/// The side that connects.
struct SimulatedClient {
  private enum State { case new, hello, certificate, finished, confirmation, over }

  private let settings: SimulatedSettings
  private let verification: SimulatedVerification
  private let serverName: String?
  private let nonce: UInt64
  /// With what it asks to go on.
  var ticket: SimulatedTicket?
  private var state = State.new
  private var transcript = SimulatedTranscript()
  private var agreement: SimulatedAgreement?
  private var wantsCertificate = false

  init(
    _ settings: SimulatedSettings, _ verification: SimulatedVerification, serverName: String?, nonce: UInt64
  ) {
    (self.settings, self.verification, self.serverName) = (settings, verification, serverName)
    self.nonce = nonce
  }

  /// Begin.
  mutating func begin() -> [SimulatedAction] {
    state = .hello
    let configuration = settings.configuration
    return [
      transcript.sending(
        .clientHello(
          SimulatedClientHello(
            nonce: nonce, minimum: configuration.minimumVersion.rawValue,
            maximum: configuration.maximumVersion.rawValue,
            serverName: serverName.flatMap { $0.isHostAddress ? nil : $0 },
            protocols: configuration.applicationProtocols, ciphers: settings.ciphers, groups: settings.groups,
            ticket: ticket?.bytes ?? [], wantsTickets: configuration.resumesSessions)))
    ]
  }

  /// Take a message of the server.
  mutating func receive(_ message: SimulatedMessage) throws(SimulatedFault) -> [SimulatedAction] {
    let before = transcript
    transcript.add(message.encoded)
    switch (state, message) {
    case (.hello, .serverHello(let hello)): return try takeHello(hello)
    case (.certificate, .certificate(let chain)):
      try check(chain)
      state = .finished
      return []
    case (.finished, .finished(let value)):
      try before.check(value)
      return answer()
    case (.confirmation, .ticket(let bytes)): return remember(bytes)
    case (.confirmation, .finished(let value)):
      try before.check(value)
      return over()
    case (.over, .ticket(let bytes)) where agreement?.version == .tls13: return remember(bytes)
    default: throw .damaged("a message at the wrong time", alert: 10)
    }
  }

  private mutating func takeHello(_ hello: SimulatedServerHello) throws(SimulatedFault) -> [SimulatedAction] {
    let configuration = settings.configuration
    guard let version = TLSVersion(rawValue: hello.version),
      (configuration.minimumVersion...configuration.maximumVersion).contains(version)
    else {
      throw SimulatedFault(
        .unsupportedVersion, "no version in common. Compare minimumVersion and maximumVersion of both sides.",
        alert: 70)
    }
    guard settings.ciphers.contains(hello.cipher), !hello.isResumed || ticket?.version == version,
      hello.applicationProtocol.map({ configuration.applicationProtocols.contains($0) }) ?? true
    else { throw .damaged("the server has chosen what was not offered", alert: 47) }
    wantsCertificate = hello.wantsCertificate
    agreement = SimulatedAgreement(
      version: version, cipher: hello.cipher, applicationProtocol: hello.applicationProtocol,
      serverName: serverName.flatMap { $0.isHostAddress ? nil : $0 }, isResumed: hello.isResumed,
      peerCertificates: hello.isResumed ? ticket?.certificates ?? [] : [])
    state = hello.isResumed ? .finished : .certificate
    return [.protect(transcript.value)]
  }

  private mutating func check(_ chain: [SimulatedCertificate]) throws(SimulatedFault) {
    guard !chain.isEmpty else { throw .damaged("a server without a certificate", alert: 50) }
    agreement?.peerCertificates = chain
    let configuration = settings.configuration
    if configuration.verification == .none { return }
    try verification.check(chain, for: .server, host: configuration.verification == .full ? serverName : nil)
  }

  private mutating func answer() -> [SimulatedAction] {
    var actions: [SimulatedAction] = []
    if wantsCertificate { actions.append(transcript.sending(.certificate(settings.identity))) }
    actions.append(transcript.sending(.finished(transcript.value)))
    if agreement?.version == .tls12, agreement?.isResumed == false {
      state = .confirmation
      return actions
    }
    return actions + over()
  }

  private mutating func over() -> [SimulatedAction] {
    state = .over
    return [.established(agreement!)]
  }

  private func remember(_ bytes: [UInt8]) -> [SimulatedAction] {
    guard settings.configuration.resumesSessions, let agreement else { return [] }
    return [
      .remember(
        SimulatedTicket(bytes: bytes, version: agreement.version, certificates: agreement.peerCertificates))
    ]
  }
}
