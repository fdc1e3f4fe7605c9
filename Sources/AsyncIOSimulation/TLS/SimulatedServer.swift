internal import AsyncIO

/// The side that listens, as a machine; ``SimulatedClient`` is the other one.
struct SimulatedServer {
  private enum State { case hello, certificate, finished, over }

  private let context: SimulatedTLSContext
  private let verification: SimulatedVerification
  private let nonce: UInt64
  private var settings: SimulatedSettings
  private var state = State.hello
  private var transcript = SimulatedTranscript()
  private var agreement: SimulatedAgreement?
  private var givesTickets = false

  init(_ context: SimulatedTLSContext, _ verification: SimulatedVerification, nonce: UInt64) {
    (self.context, self.verification, self.nonce) = (context, verification, nonce)
    settings = context.settings
  }

  /// Take a message of the client.
  mutating func receive(_ message: SimulatedMessage) throws(SimulatedFault) -> [SimulatedAction] {
    let before = transcript
    transcript.add(message.encoded)
    switch (state, message) {
    case (.hello, .clientHello(let hello)): return try answer(hello)
    case (.certificate, .certificate(let chain)):
      try check(chain)
      state = .finished
      return []
    case (.finished, .finished(let value)):
      try before.check(value)
      return over()
    default: throw .damaged("a message at the wrong time", alert: 10)
    }
  }

  // MARK: The answer

  private mutating func answer(_ hello: SimulatedClientHello) throws(SimulatedFault) -> [SimulatedAction] {
    settings = context.settings(for: hello.serverName)
    let version = try version(hello)
    let cipher = try cipher(hello, version)
    let applicationProtocol = try applicationProtocol(hello)
    let resumed = resumedState(hello, version)
    let configuration = settings.configuration
    let wantsCertificate = configuration.verification != .none && resumed == nil
    agreement = SimulatedAgreement(
      version: version, cipher: cipher, applicationProtocol: applicationProtocol, serverName: hello.serverName,
      isResumed: resumed != nil, peerCertificates: resumed?.clientCertificates ?? [])
    givesTickets = configuration.resumesSessions && (version == .tls13 || hello.wantsTickets)
    state = wantsCertificate ? .certificate : .finished
    var actions = [
      transcript.sending(
        .serverHello(
          SimulatedServerHello(
            nonce: nonce, version: version.rawValue, cipher: cipher, applicationProtocol: applicationProtocol,
            isResumed: resumed != nil, wantsCertificate: wantsCertificate)))
    ]
    actions.append(.protect(transcript.value))
    if resumed == nil { actions.append(transcript.sending(.certificate(settings.identity))) }
    actions.append(transcript.sending(.finished(transcript.value)))
    return actions
  }

  private func version(_ hello: SimulatedClientHello) throws(SimulatedFault) -> TLSVersion {
    let configuration = settings.configuration
    let newest = min(configuration.maximumVersion.rawValue, hello.maximum)
    let oldest = max(configuration.minimumVersion.rawValue, hello.minimum)
    guard newest >= oldest, let version = TLSVersion(rawValue: newest) else {
      throw SimulatedFault(
        .unsupportedVersion, "no version in common. Compare minimumVersion and maximumVersion of both sides.",
        alert: 70)
    }
    return version
  }

  private func cipher(_ hello: SimulatedClientHello, _ version: TLSVersion) throws(SimulatedFault) -> String {
    // The server's choice, as in OpenSSL's part.
    let own = settings.ciphers.filter { $0.hasPrefix("TLS_") == (version == .tls13) }
    guard let cipher = own.first(where: hello.ciphers.contains) else {
      throw SimulatedFault(.noCommonCipher, "no cipher in common. Compare the ciphers of both sides.", alert: 40)
    }
    guard settings.groups.contains(where: hello.groups.contains) else {
      throw SimulatedFault(.noCommonCipher, "no group or kind of signature in common.", alert: 40)
    }
    return cipher
  }

  private func applicationProtocol(_ hello: SimulatedClientHello) throws(SimulatedFault) -> String? {
    let own = settings.configuration.applicationProtocols
    guard !own.isEmpty, !hello.protocols.isEmpty else { return nil }
    guard let name = own.first(where: hello.protocols.contains) else {
      throw SimulatedFault(
        .noApplicationProtocol, "no application protocol in common. Compare applicationProtocols.", alert: 120)
    }
    return name
  }

  private func resumedState(_ hello: SimulatedClientHello, _ version: TLSVersion) -> SimulatedTicketState? {
    guard settings.configuration.resumesSessions, let state = SimulatedTicketState(sealed: hello.ticket),
      state.context == context.number, state.version == version.rawValue
    else { return nil }
    return state
  }

  // MARK: The end

  private mutating func check(_ chain: [SimulatedCertificate]) throws(SimulatedFault) {
    if chain.isEmpty {
      if settings.configuration.verification == .optional { return }
      throw SimulatedFault(
        .certificateMissing, "the other side showed no certificate, and must have one.",
        alert: agreement?.version == .tls12 ? 40 : 116)
    }
    try verification.check(chain, for: .client, host: nil)
    agreement?.peerCertificates = chain
  }

  private mutating func over() -> [SimulatedAction] {
    state = .over
    let agreement = agreement!
    let ticket = SimulatedMessage.ticket(
      SimulatedTicketState(
        context: context.number, version: agreement.version.rawValue,
        // Without those above it, as OpenSSL's tickets.
        clientCertificates: Array(agreement.peerCertificates.prefix(1))
      ).sealed)
    var actions: [SimulatedAction] = []
    switch (agreement.version, agreement.isResumed) {
    case (.tls12, false):
      if givesTickets { actions.append(transcript.sending(ticket)) }
      actions.append(transcript.sending(.finished(transcript.value)))
    case (.tls12, true): break
    // As many as OpenSSL gives.
    case (.tls13, let isResumed):
      if givesTickets { for _ in 0..<(isResumed ? 1 : 2) { actions.append(transcript.sending(ticket)) } }
    }
    return actions + [.established(agreement)]
  }
}
