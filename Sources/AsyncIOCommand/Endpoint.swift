import ArgumentParser
import AsyncIO

/// `host:port`, `[v6]:port` or `port`; `unix:/path`, or `unix:@name` for an abstract name.
enum Endpoint: ExpressibleByArgument, Sendable {
  case network(host: String?, port: UInt16)
  case unix(path: String)

  init?(argument: String) {
    if argument.hasPrefix("unix:") {
      let path = argument.dropFirst("unix:".count)
      guard path != "" && path != "@" else { return nil }
      self = .unix(path: path.hasPrefix("@") ? "\0\(path.dropFirst())" : String(path))
      return
    }
    if let port = UInt16(argument) {
      self = .network(host: nil, port: port)
      return
    }
    guard let colon = argument.lastIndex(of: ":"), let port = UInt16(argument[argument.index(after: colon)...]) else {
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

  /// A port alone says where to listen, and not where to connect to.
  var isComplete: Bool {
    if case .network(host: nil, port: _) = self { false } else { true }
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
