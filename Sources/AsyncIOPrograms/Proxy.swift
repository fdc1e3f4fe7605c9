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

  /// Connects to the target.
  private let target: @Sendable () async throws -> StreamConnection
  private let options: Options

  package init(_ options: Options, to target: @escaping @Sendable () async throws -> StreamConnection) {
    (self.options, self.target) = (options, target)
  }

  /// Connect to the target and forward both directions until both have ended or one has failed. Counts what happens.
  ///
  /// Throws what the attempt to connect throws, ``ProxyError``, and `CancellationError`. A lost connection, a client
  /// that leaves and one that is cut are not errors: they are a proxy's daily bread.
  package func forward(_ client: StreamConnection, _ figures: ProxyFigures) async throws {
    figures.begin()
    defer { figures.end() }
    // Asked for now: a client that has gone no longer has an address.
    let header = options.header.map { version in
      ProxyHeader(source: client.peerAddress, destination: client.localAddress).bytes(version)
    }
    let attempt = ProxyAttempt(client, options, try getRunningLoop())
    switch await attempt.run(target) {
    case .connected(let upstream):
      defer { upstream.close() }
      let exchange = ProxyExchange(client, upstream, options.idleTimeout, figures)
      try await exchange.run(header: header ?? [], early: attempt.early)
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

  package var description: String {
    switch self {
    case .noAnswer(let limit):
      "the target did not answer within \(limit). Check that it is up and not overloaded, or raise --connect-timeout."
    }
  }
}
