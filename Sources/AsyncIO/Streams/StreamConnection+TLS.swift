internal import CAsyncIO

// The protection of a connection stands below its operations, so that everything that reads and writes is as it is
// without. What is here begins it, waits for it, and ends it.

extension StreamConnection {
  /// What both sides have agreed on; nil for a connection that is not protected, or not yet. For the loop's thread.
  /// Answers `get_extra_info` with "ssl_object".
  public var tlsInformation: TLSInformation? {
    core.isRunningInThisThread ? (descriptor.layer as? TLSLink)?.information : nil
  }

  /// Protect a connection that has been used without. Returns when the two sides have agreed. Answers `start_tls`.
  ///
  /// Bytes that have been received and not read count as the peer's part of the handshake: nothing that came without
  /// protection is delivered as if it had come with it.
  ///
  /// - Parameters:
  ///   - context: says which side this is.
  ///   - serverHostname: for the side that has connected: the host that the server's certificate must be for.
  ///   - limits: how long the handshake and, later, the shutdown may take; those of the context unless given.
  /// - Throws: code `wrongThread` outside of the connection's loop, `busy` while a task reads or writes, `invalidState`
  ///   for a connection that is protected, `invalidArgument` for a client's context without a host name that it needs,
  ///   and for a server's with one; then ``TLSError``, ``IOError`` and `CancellationError`, which close the connection.
  public func startTLS(
    _ context: TLSContext, serverHostname: String? = nil, limits: TLSLimits? = nil
  ) async throws {
    try await checkpoint()
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("startTLS") }
    try claimBoth(or: "startTLS: a task reads or writes this connection. Let it end, or cancel it, before.")
    defer {
      releaseReader()
      releaseWriter()
    }
    try checkOpen("startTLS")
    guard descriptor.layer == nil else {
      throw EventLoopError(.invalidState, "startTLS: the connection is protected already. Call it once.")
    }
    _ = try await protected(
      by: TLSProtection(context, hostname: serverHostname, limits: limits, on: core, for: "startTLS"))
  }

  /// Protect a new connection, and close it if that fails. Without a protection nothing happens.
  func protected(by tls: TLSProtection?) async throws -> StreamConnection {
    guard let tls else { return self }
    do {
      try beginTLS(tls)
      try await awaitHandshake()
    } catch {
      close()
      throw error
    }
    return self
  }

  /// Begin the handshake, which then goes on by itself. Reads and writes wait for it. Loop thread; nothing waits on
  /// the connection.
  func beginTLS(_ tls: TLSProtection) throws(TLSError) {
    try descriptor.beginTLS(tls, early: leftover.take(leftover.count))
  }

  /// Wait for the end of the handshake. The caller reads and writes nothing meanwhile.
  func awaitHandshake() async throws {
    // This record, because a server that cancels its task ends it.
    try await descriptor.awaitHandshake(by: receiving)
  }

  /// End the protection and keep the connection, which goes on without: both sides say goodbye. Answers `unwrap`.
  ///
  /// - Throws: code `invalidState` for a connection that is not protected, or with bytes that were received and not
  ///   read; ``TLSError``: `protocolViolation` if the peer sends something else, `timedOut` if it says nothing within
  ///   the limit of the shutdown; otherwise as ``startTLS(_:serverHostname:limits:)``.
  public func unwrapTLS() async throws {
    try await checkpoint()
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("unwrapTLS") }
    try claimBoth(or: "unwrapTLS: a task reads or writes this connection. Let it end, or cancel it, before.")
    defer {
      releaseReader()
      releaseWriter()
    }
    try checkOpen("unwrapTLS")
    guard let link = descriptor.layer as? TLSLink, leftover.isEmpty else {
      throw EventLoopError(
        .invalidState, "unwrapTLS: the connection is not protected, or has bytes that were not read. Read them first.")
    }
    try await link.awaitGoodbyes(on: self)
    leftover.append(link.leave().span.bytes)
  }
}

extension TLSLink {
  fileprivate func awaitGoodbyes(on connection: StreamConnection) async throws {
    try endWriting()
    startLimit(limits.shutdown)
    defer { stopLimit() }
    var byte = [UInt8](repeating: 0, count: 1)
    // Right because the array is not changed while the operation uses its memory.
    let memory = byte.withUnsafeMutableBytes { $0.baseAddress! }
    guard try await connection.receive(memory, 1) == 0 else {
      throw TLSError(
        .protocolViolation, "unwrapTLS: the peer sends bytes instead of its goodbye. Read to its end first.")
    }
    connection.sending.kind = .flush
    defer { connection.sending.kind = .send }
    await core.complete(connection.sending)
    guard connection.sending.result >= 0 else { throw connection.failure(connection.sending.result, "unwrapTLS") }
  }
}
