extension StreamListener {
  /// Serve like ``serve(maximumConnections:_:)``, and stop gracefully: on one of the signals, or when the listener is
  /// closed, take no more connections, let the handlers that run end within `drain`, cancel those that have not, await
  /// them, and return who they were.
  ///
  /// ```swift
  /// let report = try await listener.serve(drain: .seconds(30), on: [SIGTERM, SIGINT]) { connection in … }
  /// for client in report.unfinished { print("cut: \(client)") }
  /// ```
  /// A signal after the first one cancels the handlers at once; from then on the signals have their earlier action.
  /// Handlers that would go on for ever can see the stop: the listener is closed (``isClosed``). Where several servers
  /// or tasks stop together, and for handlers that wait for the next request, use
  /// ``serve(maximumConnections:until:_:)``. Cancelling the task of the call cancels the handlers at once, and throws
  /// `CancellationError`.
  ///
  /// - Parameters:
  ///   - maximumConnections: how many handlers may run at a time; more clients wait in the backlog.
  ///   - drain: how long handlers may go on; `nil` is without a limit, zero or less cancels them at once.
  ///   - signals: those that request the stop; none, and it is requested by ``close()`` alone.
  ///   - handler: serves one connection.
  /// - Returns: how the stop went, and the connections whose handlers had to be cancelled.
  /// - Throws: what ``serve(maximumConnections:_:)`` throws, and what `addSignalHandler` throws for the signals.
  @discardableResult
  public func serve(
    maximumConnections: Int = .max, drain: Duration?, on signals: [Int32] = [],
    _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) async throws -> DrainReport {
    try await checkpoint()
    let server = try prepareServer(maximumConnections, handler)
    let stop = GracefulStop(core, drain: drain)
    try stop.watch(signals: signals, for: "serve")
    defer { stop.end() }
    return try await serve(server, until: stop, isOwner: true)
  }

  /// Serve like ``serve(maximumConnections:_:)`` until a stop is requested: then close the listener, let the handlers
  /// that run end within the time that the stop has, cancel those that have not, await them, and return who they were.
  /// See ``withGracefulStop(on:drain:_:)``.
  ///
  /// Closing the listener ends this server alone, and its handlers then have the time they need, until a stop is
  /// requested. If the stop was requested before, the listener is closed and the call returns.
  ///
  /// - Parameters:
  ///   - maximumConnections: how many handlers may run at a time; more clients wait in the backlog.
  ///   - stop: ends the server. It belongs to the listener's loop.
  ///   - handler: serves one connection.
  /// - Returns: how the stop went, and the connections of this listener whose handlers had to be cancelled.
  /// - Throws: what ``serve(maximumConnections:_:)`` throws; code `foreignLoop` for a stop of another loop.
  @discardableResult
  public func serve(
    maximumConnections: Int = .max, until stop: GracefulStop,
    _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) async throws -> DrainReport {
    try await checkpoint()
    let server = try prepareServer(maximumConnections, handler)
    guard stop.core === core else {
      throw EventLoopError(
        .foreignLoop, "serve: the stop belongs to another event loop. Make one on each loop, by withGracefulStop.")
    }
    return try await serve(server, until: stop, isOwner: false)
  }

  private func serve(
    _ server: ConnectionServer, until stop: GracefulStop, isOwner: Bool
  ) async throws -> DrainReport {
    let draining = ServerDrain(server, stop, isOwner: isOwner)
    server.draining = draining
    if stop.isRequested { close() }
    defer { stop.leave(draining) }
    try await serve(server)
    let report = stop.report(of: draining)
    // A stop that cancels its members also cancels the body that awaits this call: the report says so.
    if !stop.isCancelling { try Task.checkCancellation() }
    if core.isClosed && !isClosed { throw EventLoopError.closed("serve") }
    return report
  }
}
