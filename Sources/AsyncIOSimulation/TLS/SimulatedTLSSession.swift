internal import AsyncIO

/// A session without cryptography: it moves records between its input and output and a machine that knows what they
/// mean. For one thread at a time.
final class SimulatedTLSSession: TLSSession {
  private enum Machine {
    case client(SimulatedClient)
    case server(SimulatedServer)
  }

  private let context: SimulatedTLSContext
  /// With whom the session may be resumed.
  private var service: TLSService?
  private let bytes: TLSBytes
  private var machine: Machine
  private var hasBegun = false
  private var reader = SimulatedRecordReader()
  private var incoming: SimulatedProtection?
  private var outgoing: SimulatedProtection?
  /// Parts of messages of the handshake.
  private var messages: [UInt8] = []
  private var agreement: SimulatedAgreement?
  /// What a record had, from where it was not read yet.
  private var plain: ArraySlice<UInt8> = []
  private var heardGoodbye = false
  private var hasEnded = false
  /// After a failure a session is of no use any more.
  private var firstFailure: TLSError?

  init(_ context: SimulatedTLSContext, serverName: String?, _ bytes: TLSBytes) {
    (self.context, self.bytes) = (context, bytes)
    let (settings, provider) = (context.settings, context.provider)
    let verification = SimulatedVerification(authorities: settings.authorities, now: provider.now)
    if settings.configuration.side == .client {
      machine = .client(
        SimulatedClient(settings, verification, serverName: serverName, nonce: provider.nextNumber()))
    } else {
      machine = .server(SimulatedServer(context, verification, nonce: provider.nextNumber()))
    }
  }

  func resume(_ service: TLSService) {
    guard context.settings.configuration.resumesSessions, case .client(var client) = machine else { return }
    self.service = service
    client.ticket = context.sessions.take(for: service)
    machine = .client(client)
  }

  // MARK: The machine

  func handshake() throws(TLSError) -> Bool {
    if agreement != nil { return true }
    try guarded { () throws(SimulatedFault) in
      if !hasBegun {
        hasBegun = true
        if case .client(var client) = machine {
          perform(client.begin())
          machine = .client(client)
        }
      }
      while agreement == nil, let record = try nextRecord() { try take(record) }
    }
    return agreement != nil
  }

  func read(into memory: UnsafeMutableRawBufferPointer) throws(TLSError) -> Int? {
    guard try lookAhead() else { return nil }
    let count = min(memory.count, plain.count)
    plain.withUnsafeBytes { memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    plain = plain.dropFirst(count)
    return count
  }

  func lookAhead() throws(TLSError) -> Bool {
    try guarded { () throws(SimulatedFault) in
      while plain.isEmpty, !heardGoodbye, let record = try nextRecord() { try take(record) }
    }
    return !plain.isEmpty || !heardGoodbye
  }

  var pending: Int { plain.count }

  func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError) {
    if let firstFailure { throw firstFailure }
    guard agreement != nil, !hasEnded else {
      throw TLSError(.protocolViolation, "TLS: bytes were written before the handshake or after the goodbye.")
    }
    send(SimulatedRecordType.data, bytes)
  }

  func end() throws(TLSError) {
    guard !hasEnded, agreement != nil, firstFailure == nil else { return }
    hasEnded = true
    sendAlert(0)
  }

  func information() -> TLSInformation {
    guard let agreement else {
      return TLSInformation(
        version: "unknown", cipher: ("", 0), applicationProtocol: nil, serverName: nil, isResumed: false,
        peerCertificates: [])
    }
    return TLSInformation(
      version: "\(agreement.version)", cipher: (agreement.cipher, agreement.bits),
      applicationProtocol: agreement.applicationProtocol, serverName: agreement.serverName,
      isResumed: agreement.isResumed, peerCertificates: agreement.peerCertificates.map(\.presented))
  }

  /// Turn a fault into the error of this and all later calls, and tell the other side.
  private func guarded(_ body: () throws(SimulatedFault) -> Void) throws(TLSError) {
    if let firstFailure { throw firstFailure }
    do throws(SimulatedFault) { try body() } catch {
      if let alert = error.alert { sendAlert(alert) }
      let failure = TLSError(error.code, "\(agreement == nil ? "TLS handshake" : "TLS"): \(error.text)")
      firstFailure = failure
      throw failure
    }
  }

  // MARK: What comes in

  private func nextRecord() throws(SimulatedFault) -> SimulatedRecord? {
    if let record = try reader.next(from: bytes) { return record }
    guard bytes.inputHasEnded else { return nil }
    throw SimulatedFault(
      .truncated,
      agreement == nil
        ? "the other side closed the connection before it was over. See its log for the reason."
        : "the connection ended without the other side's close_notify. What was received may be incomplete.",
      alert: nil)
  }

  private func take(_ record: SimulatedRecord) throws(SimulatedFault) {
    var body = record.body
    if incoming != nil {
      guard let open = incoming?.open(record) else { throw .damaged("a record was changed, lost or doubled") }
      body = open
    }
    switch record.type {
    case SimulatedRecordType.handshake: try takeMessages(body)
    case SimulatedRecordType.alert: try takeAlert(body)
    case SimulatedRecordType.data where agreement != nil: plain = body[...]
    default: throw .damaged("a record at the wrong time", alert: 10)
    }
  }

  private func takeMessages(_ body: [UInt8]) throws(SimulatedFault) {
    messages += body
    while messages.count >= 4 {
      let count = messages[1...3].reduce(0) { $0 << 8 | Int($1) }
      guard count <= SimulatedMessage.maximum else { throw .damaged("a message of \(count) bytes", alert: 50) }
      guard messages.count >= 4 + count else { return }
      guard let message = SimulatedMessage(type: messages[0], body: Array(messages[4..<4 + count])) else {
        throw .damaged("a message of an unknown form", alert: 50)
      }
      messages.removeFirst(4 + count)
      switch machine {
      case .client(var client):
        let actions = try client.receive(message)
        machine = .client(client)
        perform(actions)
      case .server(var server):
        let actions = try server.receive(message)
        machine = .server(server)
        perform(actions)
      }
    }
  }

  private func takeAlert(_ body: [UInt8]) throws(SimulatedFault) {
    guard body.count == 2 else { throw .damaged("an alert of \(body.count) bytes", alert: 50) }
    guard body[1] == 0 else {
      let (code, text) = TLSAlert.explain(Int(body[1]))
      throw SimulatedFault(code, text, alert: nil)
    }
    guard agreement != nil else {
      throw SimulatedFault(
        .truncated, "the other side closed the connection before it was over. See its log for the reason.", alert: nil)
    }
    heardGoodbye = true
  }

  // MARK: What goes out

  private func perform(_ actions: [SimulatedAction]) {
    for action in actions {
      switch action {
      case .send(let message): message.withUnsafeBytes { send(SimulatedRecordType.handshake, $0) }
      case .protect(let key):
        var isClient = false
        if case .client = machine { isClient = true }
        outgoing = SimulatedProtection(key: key, isClients: isClient)
        incoming = SimulatedProtection(key: key, isClients: !isClient)
      case .remember(let ticket): if let service { context.sessions.remember(ticket, for: service) }
      case .established(let agreement): self.agreement = agreement
      }
    }
  }

  private func sendAlert(_ number: UInt8) {
    let isWarning = number == 0
    [isWarning ? 1 : 2, number].withUnsafeBytes { send(SimulatedRecordType.alert, $0) }
  }

  /// Put bytes into as many records as they need.
  private func send(_ type: UInt8, _ all: UnsafeRawBufferPointer) {
    var rest = all
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest[..<min(rest.count, SimulatedRecord.maximum)])
      if let record = outgoing?.seal(type, piece) {
        record.withUnsafeBytes { bytes.writeOutput($0) }
      } else {
        SimulatedRecord.header(type, piece.count).withUnsafeBytes { bytes.writeOutput($0) }
        bytes.writeOutput(piece)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[piece.count...])
    }
  }
}
