import ArgumentParser

/// `host:port`, `[v6]:port` or `port`.
struct Endpoint: ExpressibleByArgument, Sendable {
  var host: String?
  var port: UInt16

  init?(argument: String) {
    if let port = UInt16(argument) {
      self.port = port
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
    self.host = host.isEmpty ? nil : String(host)
    self.port = port
  }
}
