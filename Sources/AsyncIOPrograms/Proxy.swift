package import AsyncIO

/// What the proxy does with its clients: a connection to the target for each, and every byte passed on.
package struct Proxy: Sendable {
  /// How the proxy treats its clients.
  package struct Options: Sendable {
    /// How long a client may be idle in both directions before it is cut; nil means for ever.
    package var idleTimeout: Duration?
    /// How long an attempt to reach the target may take; nil leaves it to the system.
    package var connectTimeout: Duration?
    /// Tells the target about the client, before everything else.
    package var header: ProxyHeader.Version?

    package init(
      idleTimeout: Duration? = nil, connectTimeout: Duration? = nil, header: ProxyHeader.Version? = nil
    ) {
      (self.idleTimeout, self.connectTimeout, self.header) = (idleTimeout, connectTimeout, header)
    }
  }

  private let front: ProxyFront
  private let options: Options

  /// Create a proxy that forwards all clients to one target.
  package init(_ options: Options, to target: @escaping @Sendable () async throws -> StreamConnection) {
    self.init(options, ProxyFront(target: ProxyTarget(target)))
  }

  /// Create a proxy that looks at what its clients say first.
  package init(_ options: Options, _ front: ProxyFront) {
    (self.options, self.front) = (options, front)
  }

  /// Connect to the target and forward both directions until both have ended or one has failed. Counts what happens.
  ///
  /// Throws what the attempt to connect throws, what a client's handshake throws, ``ProxyError``, and
  /// `CancellationError`. A lost connection, a client that leaves and one that is cut are not errors: they are a
  /// proxy's daily bread.
  package func forward(_ client: StreamConnection, _ figures: ProxyFigures) async throws {
    figures.begin()
    defer { figures.end() }
    // Asked for now: a client that has gone no longer has an address.
    let header = options.header.map { version in
      ProxyHeader(source: client.peerAddress, destination: client.localAddress).bytes(version)
    }
    guard let target = try await front.admit(client, figures) else { return }
    let attempt = ProxyAttempt(client, options, try getRunningLoop())
    switch await attempt.run(target.reaching(header: header ?? [])) {
    case .connected(let upstream):
      defer { upstream.close() }
      let exchange = ProxyExchange(client, upstream, options.idleTimeout, figures)
      try await exchange.run(header: target.takesHeaderFirst ? [] : header ?? [], early: attempt.early)
    // Counted first: a reader that sees the end may ask at once.
    case .failed(let error):
      if !(error is CancellationError) { figures.noteFailure(error) }
      client.abort()
      throw error
    case .late(let limit):
      figures.add(.late)
      client.abort()
      throw ProxyError.noAnswer(within: limit)
    case .idle:
      figures.add(.cut)
      client.abort()
    case .left:
      figures.add(.left)
      client.abort()
    case .dismissed: throw CancellationError()
    }
  }
}

/// Why a client was not served.
package enum ProxyError: Error, Equatable, CustomStringConvertible {
  case noAnswer(within: Duration)
  /// The connection to the target could not be protected, for the reason given.
  case targetTLS(String)
  /// The client asks for a host that no target is for, or for none.
  case noRoute(name: String?)
  /// The client says something else than the hello of TLS, for the reason given.
  case noHello(String)

  package var description: String {
    switch self {
    case .noAnswer(let limit):
      "the target did not answer within \(limit). Check that it is up and not overloaded, or raise --connect-timeout."
    case .targetTLS(let reason):
      "TLS to the target failed: \(reason) The options --tls-ca and --tls-name say which certificates are right."
    case .noRoute(let name?):
      "a client asked for \"\(name)\", which no target is for. Add --sni \(name)=… or a target for all, --to."
    case .noRoute(nil): "a client named no host, and no target is for such. Add a target for all, --to."
    case .noHello(let reason):
      "a client has no target, because it does not say hello in TLS: \(reason). Add a target for all, --to."
    }
  }
}
