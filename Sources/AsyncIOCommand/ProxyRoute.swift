import ArgumentParser
import AsyncIO
import AsyncIOPrograms

/// Where a proxy forwards to: an endpoint, or `tls:` and an endpoint.
struct ProxyDestination: Sendable {
  let endpoint: Endpoint
  let isProtected: Bool

  static func parse(_ text: String) throws -> ProxyDestination {
    guard text.hasPrefix("tls:") else {
      return ProxyDestination(endpoint: try Endpoint.parseTarget(text), isProtected: false)
    }
    return ProxyDestination(endpoint: try Endpoint.parseProtected(text.dropFirst("tls:".count)), isProtected: true)
  }

  /// The target as the proxy takes it. A context is there if it is protected.
  func target(_ context: TLSContext?, name: String?) -> ProxyTarget {
    let endpoint = endpoint
    let protection = context.map { ProxyTarget.Protection($0, hostname: name ?? endpoint.host ?? "") }
    return ProxyTarget(protection: protection) { try await endpoint.connect() }
  }
}

/// `name=endpoint`: where clients go that ask for a host by TLS.
struct ProxyRoute: Sendable {
  let name: String
  let endpoint: Endpoint

  static func parse(_ text: String) throws -> ProxyRoute {
    guard let equals = text.firstIndex(of: "="), isPattern(text[..<equals]) else {
      throw WrongValue(
        "Give the name of a host, or *. and a name, then = and the target: www.example.org=10.0.0.7:443.")
    }
    let target = text[text.index(after: equals)...]
    guard !target.hasPrefix("tls:") else {
      throw WrongValue("What goes on as it comes is protected already. Give the target without tls:.")
    }
    return ProxyRoute(name: text[..<equals].lowercased(), endpoint: try Endpoint.parseTarget(String(target)))
  }

  /// True for the name of a host, and for such a name behind "*.".
  private static func isPattern(_ text: Substring) -> Bool {
    let labels = (text.hasPrefix("*.") ? text.dropFirst(2) : text).split(
      separator: ".", omittingEmptySubsequences: false)
    return text.utf8.count <= 253
      && labels.allSatisfy { label in
        (1...63).contains(label.utf8.count)
          && label.utf8.allSatisfy { byte in
            (48...57).contains(byte) || (97...122).contains(byte | 32) || byte == 45 || byte == 95
          }
      }
  }
}

extension TLSNames<ProxyTarget> {
  /// The table of some routes.
  init(_ routes: [ProxyRoute]) {
    self.init()
    for route in routes {
      let endpoint = route.endpoint
      give(route.name, to: ProxyTarget { try await endpoint.connect() })
    }
  }
}
