import AsyncIO
import AsyncIOPrograms

/// `host:port`, `[v6]:port` or `port`; `unix:/path`, or `unix:@name` for an abstract name.
enum Endpoint: Sendable {
  case network(host: String?, port: UInt16)
  case unix(path: String)

  /// Where to listen.
  static func parseListening(_ text: String) throws -> Endpoint {
    guard let endpoint = Endpoint(text) else {
      throw WrongValue(
        "Give port, host:port, [v6]:port, unix:/path or unix:@name; ports are 0 to 65535, and 0 lets the system choose."
      )
    }
    return endpoint
  }

  /// Where to connect to, which a port alone does not say.
  static func parseTarget(_ text: String) throws -> Endpoint {
    guard let endpoint = Endpoint(text), endpoint.isTarget else {
      throw WrongValue("Give host:port, [v6]:port, unix:/path or unix:@name; ports are 1 to 65535.")
    }
    return endpoint
  }

  /// Where to connect to with TLS: `tls:` and a host and port.
  static func parseProtected(_ text: Substring) throws -> Endpoint {
    guard let endpoint = Endpoint(String(text)), endpoint.isTarget, endpoint.host != nil else {
      throw WrongValue("Give tls:host:port or tls:[v6]:port; ports are 1 to 65535.")
    }
    return endpoint
  }

  private init?(_ argument: String) {
    if argument.hasPrefix("unix:") {
      let path = argument.dropFirst("unix:".count)
      guard path != "" && path != "@" else { return nil }
      self = .unix(path: path.hasPrefix("@") ? "\0\(path.dropFirst())" : String(path))
      return
    }
    if let port = Self.port(argument[...]) {
      self = .network(host: nil, port: port)
      return
    }
    guard let colon = argument.lastIndex(of: ":"), let port = Self.port(argument[argument.index(after: colon)...])
    else {
      return nil
    }
    var host = argument[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    self = .network(host: host.isEmpty ? nil : String(host), port: port)
  }

  /// Read digits only: a sign is not part of a port.
  private static func port(_ text: Substring) -> UInt16? {
    text.utf8.allSatisfy { (48...57).contains($0) } ? UInt16(text) : nil
  }

  private var isTarget: Bool {
    switch self {
    case .network(let host, let port): host != nil && port != 0
    case .unix: true
    }
  }

  /// The host of a network address.
  var host: String? {
    if case .network(let host, _) = self { host } else { nil }
  }

  /// A path has one listener; a port can have one on every loop.
  var canBeShared: Bool {
    if case .network = self { true } else { false }
  }

  func listen(sharedBy group: LoopGroup) async throws -> StreamListener {
    switch self {
    case .network(let host, let port): try await .bind(host: host ?? "127.0.0.1", port: port, sharedBy: group)
    case .unix(let path): try await .bind(unixPath: path)
    }
  }

  func connect() async throws -> StreamConnection {
    switch self {
    case .network(let host, let port): try await .connect(host: host ?? "127.0.0.1", port: port)
    case .unix(let path): try await .connect(unixPath: path)
    }
  }
}
