internal import GRPCNIOTransportHTTP2
public import NIOSSL

/// How a server protects its connections.
public struct ServerSecurity: Sendable {
  private let configuration: TLSConfiguration?
  private let requiresALPN: Bool

  /// No protection: HTTP/2 with prior knowledge, as gRPC calls it "h2c".
  public static var plaintext: Self { Self(configuration: nil, requiresALPN: false) }

  /// TLS, with the names of HTTP/2 for the negotiation of protocols unless the configuration has some.
  ///
  /// - Parameter requiresALPN: refuses clients that negotiate no protocol.
  public static func tls(_ configuration: TLSConfiguration, requiresALPN: Bool = false) -> Self {
    Self(configuration: configuration.forHTTP2, requiresALPN: requiresALPN)
  }

  func context() throws -> NIOSSLContext? { try configuration.map { try NIOSSLContext(configuration: $0) } }

  var forConnections: HTTP2ServerTransport.ConnectionConfigurator.TLS {
    configuration == nil ? .none : .configured(requireALPN: requiresALPN)
  }
}

/// How a client protects its connection.
public struct ClientSecurity: Sendable {
  private let configuration: TLSConfiguration?
  private let serverName: String?

  /// No protection: HTTP/2 with prior knowledge.
  public static var plaintext: Self { Self(configuration: nil, serverName: nil) }

  /// TLS, with the names of HTTP/2 for the negotiation of protocols unless the configuration has some.
  ///
  /// - Parameter serverName: the name that the certificate must be for, and that the server is told; `nil`: none, as an
  ///   address has none.
  public static func tls(
    _ configuration: TLSConfiguration = .makeClientConfiguration(), serverName: String? = nil
  ) -> Self {
    Self(configuration: configuration.forHTTP2, serverName: serverName)
  }

  func makeHandler() throws -> (@Sendable () throws -> NIOSSLClientHandler)? {
    guard let configuration else { return nil }
    let context = try NIOSSLContext(configuration: configuration)
    return { [serverName] in try NIOSSLClientHandler(context: context, serverHostname: serverName) }
  }
}

extension TLSConfiguration {
  fileprivate var forHTTP2: Self {
    var copy = self
    if copy.applicationProtocols.isEmpty { copy.applicationProtocols = ["grpc-exp", "h2"] }
    return copy
  }
}
