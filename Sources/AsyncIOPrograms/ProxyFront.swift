package import AsyncIO

// What happens to a client before anything is done for it. The traps:
//
// - A route by name must not change a byte: the client and its server agree on what they have said to each other. So
//   the hello is put back, and the next reader finds it unread.
// - A client may send half a hello, or nothing, and stay. One limit holds for the hello and the handshake together.
// - Strangers knock at every open port and leave. That is counted; only what its operator can change is reported.

/// The side of a proxy that its clients see: which target a client gets, and whether its TLS ends here.
package struct ProxyFront: Sendable {
  /// Targets of clients that ask for certain hosts by TLS, which goes on to the target as it comes.
  package var routes = TLSNames<ProxyTarget>()
  /// Ends the TLS of the others; `nil` if their bytes go on as they come.
  package var tls: TLSContext?
  /// The target of the others; `nil` if they are refused.
  package var target: ProxyTarget?
  /// From the accept to the end of the handshake, and to the end of the hello if it is read.
  package var handshakeTimeout: Duration

  package init(target: ProxyTarget?, handshakeTimeout: Duration = .seconds(30)) {
    (self.target, self.handshakeTimeout) = (target, handshakeTimeout)
  }

  /// Find the target of a client, and end its TLS. Returns `nil` if the client has left, which is counted.
  ///
  /// Throws ``ProxyError`` for a client without a target, ``TLSError``, `IOError` and `CancellationError`.
  func admit(_ client: StreamConnection, _ figures: ProxyFigures) async throws -> ProxyTarget? {
    guard tls != nil || !routes.isEmpty else { return target }
    let loop = try getRunningLoop()
    let deadline = loop.time().advanced(by: handshakeTimeout)
    var verdict: ClientHelloReader.Verdict?
    if !routes.isEmpty {
      guard let hello = try await readHello(client, deadline, figures) else { return nil }
      if case .hello(let name?) = hello, let route = routes.owner(of: name) { return route }
      verdict = hello
    }
    if let tls {
      let rest = max(loop.time().duration(to: deadline), .milliseconds(1))
      do { try await client.startTLS(tls, limits: TLSLimits(handshake: rest)) } catch {
        if let figure = Self.figure(for: error) { figures.add(figure) }
        throw error
      }
    }
    if let target { return target }
    try await refuse(client, verdict ?? .more, figures)
    return nil
  }

  /// Return what counts a failed handshake. A client that only looks whether somebody listens has left.
  private static func figure(for error: any Error) -> ProxyFigures.Figure? {
    switch error {
    case is CancellationError: nil
    case let error as TLSError where error.code == .truncated: .left
    case is IOError: .left
    default: .unprotected
    }
  }

  /// Read until it is known what the client sends, and put it back. Returns `nil` for a client that has left, or did
  /// not send its hello in time.
  private func readHello(
    _ client: StreamConnection, _ deadline: EventLoopInstant, _ figures: ProxyFigures
  ) async throws -> ClientHelloReader.Verdict? {
    do {
      let verdict = try await withTimeout(at: deadline) {
        var reader = ClientHelloReader()
        var bytes: [UInt8] = []
        while reader.verdict == .more {
          let piece = try await client.read(upTo: 16 * 1024)
          if piece.isEmpty { return ClientHelloReader.Verdict.more }
          bytes += piece
          _ = reader.take(piece)
        }
        try client.putBack(bytes)
        return reader.verdict
      }
      if verdict != .more { return verdict }
      figures.add(.left)
    } catch is TimeoutError {
      figures.add(.unprotected)
    } catch is IOError {
      figures.add(.left)
    }
    client.abort()
    return nil
  }

  /// End a client that no target is for. One that speaks TLS is told why.
  private func refuse(
    _ client: StreamConnection, _ verdict: ClientHelloReader.Verdict, _ figures: ProxyFigures
  ) async throws {
    figures.add(.unprotected)
    guard case .hello(let name) = verdict else {
      client.abort()
      if case .other(let reason) = verdict { throw ProxyError.noHello(reason) }
      return
    }
    // Unread bytes would make a reset of the end, and take the alert away.
    _ = try await client.read(upTo: ClientHelloReader.limit)
    try await client.write(Self.unrecognizedName)
    client.close()
    throw ProxyError.noRoute(name: name)
  }

  /// The record of a fatal alert, in the version of records that every client takes.
  private static let unrecognizedName: [UInt8] = [21, 3, 3, 0, 2, 2, 112]
}
