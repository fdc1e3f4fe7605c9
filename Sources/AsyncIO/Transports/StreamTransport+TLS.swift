// The protection of a transport stands below its operations. What is here puts the handshake before the first call of
// the protocol, and starts the protection of a transport that has been used without.

extension StreamTransport {
  /// Begin with the handshake; the protocol is told of its transport when the two sides have agreed, and never hears of
  /// one on which they have not.
  final func start(_ proto: any BaseProtocol, protectedBy tls: TLSProtection) throws {
    try prepare(proto)
    do throws(TLSError) {
      try descriptor.beginTLS(tls)
    } catch {
      report("TLS could not begin on an accepted connection; it is closed", error)
      return fail(error)
    }
    isShakingHands = true
    sending.kind = .ready
    sending.sequence &+= 1
    if core.submit(sending) { handshakeEnded() }
    hold()
  }

  final func handshakeEnded() {
    sending.kind = .send
    isShakingHands = false
    guard life.phase == .new else { return }
    if sending.result >= 0 { makeNextTurn() } else { lose(sending.result, "TLS handshake") }
  }
}

extension ExtraInfoKey where Value == TLSInformation {
  /// What both sides have agreed on: version, cipher, application protocol, the peer's certificates. Answers
  /// "ssl_object", "cipher" and "peercert".
  public static var tls: ExtraInfoKey { ExtraInfoKey("tls") }
}

extension EventLoop {
  /// Protect a transport that has been used without, and let another protocol object have it. Returns when the two
  /// sides have agreed. The protocol is not told of the connection being made. Answers `start_tls`.
  ///
  /// Waits until the transport has sent what it has, and refuses writes meanwhile with code `invalidState`. Bytes that
  /// have come and were not delivered count as the peer's part of the handshake.
  ///
  /// - Parameters:
  ///   - transport: one of this loop.
  ///   - proto: gets what comes from now on.
  ///   - context: says which side this is.
  ///   - serverHostname: for the side that has connected: the host that the server's certificate must be for.
  ///   - limits: how long the handshake and, later, the shutdown may take; those of the context unless given.
  /// - Throws: ``TLSError``, and then the transport is lost, as the protocol is told; code `wrongThread` outside of the
  ///   loop's thread, `foreignLoop` for a transport of another loop, `invalidState` for one that is closing, protected,
  ///   has written its end, or sends a file; `invalidArgument` for a protocol that does not fit, for a client's context
  ///   without a host name that it needs, and for a server's with one; ``IOError``, `CancellationError`.
  public func startTLS(
    _ transport: StreamTransport, _ proto: any ReceivingProtocol, _ context: TLSContext,
    serverHostname: String? = nil, limits: TLSLimits? = nil
  ) async throws {
    try await checkpoint()
    let core = try coreOfThisThread(for: "startTLS")
    guard transport.core === core else {
      throw EventLoopError(.foreignLoop, "startTLS: the transport belongs to another event loop.")
    }
    let tls = try TLSProtection(context, hostname: serverHostname, limits: limits, on: core, for: "startTLS")
    try transport.checkForTLS()
    transport.isShakingHands = true
    let wasPaused = transport.life.isPaused
    transport.pauseReading()
    defer {
      transport.isShakingHands = false
      if !wasPaused { transport.resumeReading() }
    }
    try await transport.waitUntilDrained("startTLS")
    // A receive that has ended is delivered in the next turn, to nobody: its bytes stay in the backend.
    while transport.receiving.state == .inFlight { try await sleep(for: .zero) }
    try transport.setProtocol(proto)
    try await transport.shakeHands(tls)
  }
}

extension StreamTransport {
  fileprivate final func checkForTLS() throws(EventLoopError) {
    func refuse(_ reason: String) -> EventLoopError { EventLoopError(.invalidState, "startTLS: \(reason)") }
    if life.isClosing { throw refuse("the transport is closing.") }
    if life.endsWriting { throw refuse("the end of the stream has already been written. Start TLS before writeEOF().") }
    if isSendingFile { throw refuse("a file is being sent. Wait until sendfile has returned.") }
    if isShakingHands || descriptor.layer != nil { throw refuse("the transport is protected already. Call it once.") }
  }

  fileprivate final func shakeHands(_ tls: TLSProtection) async throws {
    let early = parked
    parked = []
    do {
      try await descriptor.shakeHands(tls, early: early)
    } catch {
      fail(error)
      throw error
    }
  }
}
