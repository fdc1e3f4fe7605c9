extension StreamListener {
  /// Bind a host and port, as the form without `tls`, and protect every connection. `serve` calls its handler when the
  /// two sides have agreed; a connection from `accept` agrees meanwhile, and its first read or write waits for that.
  ///
  /// Throws code `invalidArgument` for the context of a client, and ``TLSError`` for one that was made outside of this
  /// loop's simulation.
  package static func bind(
    host: String? = nil, port: UInt16, tls: TLSContext, limits: TLSLimits = .standard
  ) async throws -> StreamListener {
    var request = ListenRequest()
    (request.hosts, request.port) = ([host], port)
    try runningCore("StreamListener.bind").check(tls)
    return try await bind(request, tls: ServerTLS(tls, limits, for: "StreamListener.bind"))
  }

  /// Begin the handshake of an accepted connection. One that cannot begin is closed: it must not go on without.
  func protect(_ connection: StreamConnection, _ tls: ServerTLS) {
    do throws(TLSError) {
      try connection.beginTLS(tls.tlsContext, serverHostname: nil, tls.limits)
    } catch {
      connection.abort()
      core.callExceptionHandler(
        ExceptionContext(message: "TLS could not begin on an accepted connection; it is closed", exception: error))
    }
  }
}
