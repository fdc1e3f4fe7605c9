extension StreamListener {
  /// Accept connections until the listener is closed or the task is cancelled, and run the handler for each in a task
  /// of its own on this loop. The connection is closed when its handler returns or throws.
  ///
  /// - Close the listener and `serve` waits for the handlers that run, then returns.
  /// - Cancel the task and the handlers are cancelled and awaited; then `serve` throws `CancellationError`.
  /// - An error of a handler goes to the loop's exception handler (the loss of a connection in debug mode only) and
  ///   never ends the server.
  /// - Out of descriptors or memory, a listening socket reports it once, pauses for a second and goes on.
  ///
  /// - Parameters:
  ///   - maximumConnections: how many handlers may run at a time; more clients wait in the backlog.
  ///   - handler: serves one connection.
  /// - Throws: code `wrongThread` outside of the listener's loop, `invalidArgument` for less than one connection,
  ///   `busy` if another task is already accepting, `closed` if the loop is closed.
  public func serve(
    maximumConnections: Int = .max, _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) async throws {
    try await checkpoint()
    try await serve(prepareServer(maximumConnections, handler))
    try Task.checkCancellation()
    if core.isClosed && !isClosed { throw EventLoopError.closed("serve") }
  }

  /// Check what a caller of `serve` has given.
  func prepareServer(
    _ maximumConnections: Int, _ handler: @escaping @Sendable (StreamConnection) async throws -> Void
  ) throws -> ConnectionServer {
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("serve") }
    guard maximumConnections > 0 else {
      throw EventLoopError(.invalidArgument, "serve: maximumConnections is \(maximumConnections). Give at least 1.")
    }
    return ConnectionServer(self, limit: maximumConnections, handler)
  }

  /// Serve until the server has ended.
  func serve(_ server: ConnectionServer) async throws {
    try claimAccept()
    defer { releaseAccept() }
    if !isClosed { try startServing() }
    if let draining = server.draining { draining.stop.join(draining) }
    await server.run()
  }
}
