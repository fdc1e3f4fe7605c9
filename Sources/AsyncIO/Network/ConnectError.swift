/// None of the addresses of a host could be connected to.
public struct ConnectError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The name of the host.
  public let host: String
  /// What happened at each address, in the order of the attempts.
  public let attempts: [IOError]

  /// Every address that was tried, with its error.
  public var description: String {
    "cannot connect to \(host): " + attempts.map(\.description).joined(separator: "; ")
  }
}
