extension StreamConnection {
  /// Protect the connection from here on: go through a handshake, as the client or the server that the context is for.
  /// Both sides have agreed, by what they wrote before, that it comes now. Answers `start_tls`.
  ///
  /// Throws ``TLSError`` with the reason, ``IOError`` or `CancellationError`; the connection is then closed. Throws
  /// code `busy` while a task reads or writes, and `wrongThread` outside of the connection's loop.
  ///
  /// - Parameters:
  ///   - context: certificates and settings.
  ///   - serverHostname: for a client: the host that the server's certificate must be for.
  package func startTLS(_ context: TLSContext, serverHostname: String? = nil) async throws {
    try claimReader()
    defer { releaseReader() }
    try claimWriter()
    defer { releaseWriter() }
    try checkOpen("startTLS")
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("startTLS") }
    let received = leftover.isEmpty ? [] : leftover.take(leftover.count)
    descriptor.protect(by: try TLSLink(descriptor, context, serverName: serverHostname, received: received))
    let handshake = IOOperation(.ready, on: descriptor)
    await core.complete(handshake)
    guard handshake.result >= 0 else {
      let failure = failure(handshake.result, "startTLS")
      close()
      throw failure
    }
  }

  /// What was agreed on with the other side; nil for a connection that is not protected. Loop thread.
  package var tlsInformation: TLSInformation? { (descriptor.layer as? TLSLink)?.session.information() }
}
