package import AsyncIO

/// Where a proxy forwards to, with TLS or without.
package struct ProxyTarget: Sendable {
  /// How the connection to a target is protected.
  package struct Protection: Sendable {
    /// Settings of a client.
    package let context: TLSContext
    /// The host that the certificate must be for.
    package let hostname: String

    package init(_ context: TLSContext, hostname: String) {
      (self.context, self.hostname) = (context, hostname)
    }
  }

  private let connect: @Sendable () async throws -> StreamConnection
  private let protection: Protection?

  /// Name a target by how to connect to it.
  package init(
    protection: Protection? = nil, _ connect: @escaping @Sendable () async throws -> StreamConnection
  ) {
    (self.protection, self.connect) = (protection, connect)
  }

  /// True if the header of the PROXY protocol goes out as a part of reaching the target: it comes before the handshake,
  /// where servers with TLS expect it.
  var takesHeaderFirst: Bool { protection != nil }

  /// Return how to connect to the target, so that bytes can be sent.
  func reaching(header: [UInt8]) -> @Sendable () async throws -> StreamConnection {
    guard let protection else { return connect }
    return { [connect] in
      let connection = try await connect()
      do {
        if !header.isEmpty { try await connection.write(header) }
        try await connection.startTLS(protection.context, serverHostname: protection.hostname)
        return connection
      } catch {
        connection.close()
        throw (error as? TLSError).map { ProxyError.targetTLS($0.description) } ?? error
      }
    }
  }
}
