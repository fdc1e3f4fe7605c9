/// How the accepted connections of a listener or a server are protected.
struct ServerTLS: Sendable {
  let tlsContext: TLSContext
  let limits: TLSLimits

  /// Throws code `invalidArgument` for the settings of a client.
  init(_ context: TLSContext, _ limits: TLSLimits, for operation: String) throws(EventLoopError) {
    try context.check(.server, for: operation)
    (tlsContext, self.limits) = (context, limits)
  }
}

/// How a connection to a host is protected.
struct ClientTLS: Sendable {
  let tlsContext: TLSContext
  let hostname: String?
  let limits: TLSLimits

  /// Throws code `invalidArgument` for the settings of a server.
  ///
  /// - Parameter hostname: the host that the certificate must be for.
  init(_ context: TLSContext, hostname: String?, _ limits: TLSLimits, for operation: String) throws(EventLoopError) {
    try context.check(.client, for: operation)
    (tlsContext, self.hostname, self.limits) = (context, hostname, limits)
  }
}

extension TLSContext {
  /// Throw code `invalidArgument` unless the settings are for the side.
  func check(_ side: TLSConfiguration.Side, for operation: String) throws(EventLoopError) {
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
  func beginTLS(
    _ context: TLSContext, hostname: String? = nil, _ limits: TLSLimits, early: [UInt8] = []
  ) throws(TLSError) {
    try TLSLink(self, context, serverName: hostname, limits: limits, early: early).start()
  }

  /// Wait until the two sides have agreed.
  ///
  /// - Parameter operation: an idle record of the descriptor.
  func awaitHandshake(by operation: IOOperation) async throws {
    operation.kind = .ready
    await loop.complete(operation)
    guard operation.result >= 0 else { throw failure(operation.result, "TLS handshake") }
  }
}

extension TLSLink {
  /// What both sides have agreed on; nil before they have.
  var information: TLSInformation? { life.phase > .handshaking ? session.information() : nil }
}
