/// How a connection is protected: settings that fit its side and its loop, and the host of the other side.
struct TLSProtection: Sendable {
  let tlsContext: TLSContext
  /// For the side that connects: the host that the certificate must be for.
  let hostname: String?
  let limits: TLSLimits

  /// Check what a call was given for the side that connects. Returns `nil` without a context.
  ///
  /// Throws code `invalidArgument` for the settings of a server, for a host without a context, and if the certificate
  /// is to be for a host and none is known; ``TLSError`` for a context that was made outside of the loop's simulation.
  ///
  /// - Parameters:
  ///   - hostname: the host that the caller names.
  ///   - host: the host that is connected to.
  static func client(
    _ context: TLSContext?, hostname: String?, host: String? = nil, on core: BaseEventLoop, for operation: String
  ) throws -> TLSProtection? {
    guard let context else {
      guard hostname == nil else {
        throw EventLoopError(
          .invalidArgument, "\(operation): serverHostname is given without tls. Give tls as well, or leave it out.")
      }
      return nil
    }
    try context.check(.client, for: operation)
    return try TLSProtection(context, hostname: hostname ?? host, on: core, for: operation)
  }

  /// Check what a call was given for the side that listens. Returns `nil` without a context.
  ///
  /// Throws code `invalidArgument` for the settings of a client, and ``TLSError`` as above.
  static func server(
    _ context: TLSContext?, on core: BaseEventLoop, for operation: String
  ) throws -> TLSProtection? {
    guard let context else { return nil }
    try context.check(.server, for: operation)
    return try TLSProtection(context, hostname: nil, on: core, for: operation)
  }

  /// Check what a call was given for the side that its context is for.
  ///
  /// - Parameter limits: those of the context unless given.
  init(
    _ context: TLSContext, hostname: String?, limits: TLSLimits? = nil, on core: BaseEventLoop, for operation: String
  ) throws {
    let settings = context.configuration
    if settings.side == .server, hostname != nil {
      throw EventLoopError(
        .invalidArgument, "\(operation): serverHostname is for the side that connects. Leave it out.")
    }
    if settings.side == .client, settings.verification == .full, hostname?.isEmpty != false {
      throw EventLoopError(
        .invalidArgument,
        "\(operation): the server's certificate is to be for a host, and none is named. Give serverHostname.")
    }
    try core.check(context)
    (tlsContext, self.hostname, self.limits) = (context, hostname, limits ?? settings.limits)
  }
}

extension TLSContext {
  /// Throw code `invalidArgument` unless the settings are for the side.
  fileprivate func check(_ side: TLSConfiguration.Side, for operation: String) throws(EventLoopError) {
    guard configuration.side != side else { return }
    throw EventLoopError(
      .invalidArgument,
      "\(operation): the TLSContext is for a \(configuration.side). Make one from TLSConfiguration.\(side).")
  }
}

extension IODescriptor {
  /// Begin the handshake on a connected descriptor that nothing waits on. It goes on by itself; what is read and
  /// written waits for it. Loop thread.
  ///
  /// - Parameter early: what has come and was not delivered: the session takes it as the peer's, and never the user.
  func beginTLS(_ tls: TLSProtection, early: [UInt8] = []) throws(TLSError) {
    let link = try TLSLink(self, tls.tlsContext, serverName: tls.hostname, limits: tls.limits, early: early)
    if let service = service(of: tls) { link.session.resume(service) }
    link.start()
  }

  /// The service that the side that connects has reached; nil if it would not resume a session with it.
  private func service(of tls: TLSProtection) -> TLSService? {
    let settings = tls.tlsContext.configuration
    guard settings.side == .client, settings.resumesSessions, tls.hostname != nil else { return nil }
    let peer = loop.withNumber(of: self) { loop.sockets.peerAddress(of: $0) } ?? nil
    return peer.flatMap { TLSService(host: tls.hostname, at: $0) }
  }

  /// Wait until the two sides have agreed.
  ///
  /// - Parameter operation: an idle record of the descriptor.
  func awaitHandshake(by operation: IOOperation) async throws {
    operation.kind = .ready
    await loop.complete(operation)
    guard operation.result >= 0 else { throw failure(operation.result, "TLS handshake") }
  }

  /// Begin the handshake, if there is to be one, and wait until the two sides have agreed. The caller closes the
  /// descriptor if this throws.
  func shakeHands(_ tls: TLSProtection?, early: [UInt8] = []) async throws {
    guard let tls else { return }
    try beginTLS(tls, early: early)
    try await awaitHandshake(by: IOOperation(.ready, on: self))
  }
}

extension TLSLink {
  /// What both sides have agreed on; nil before they have.
  var information: TLSInformation? { life.phase > .handshaking ? session.information() : nil }
}
