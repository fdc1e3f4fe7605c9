public import NIOCore

/// Why a host could not be connected to by name: what its look-up said, or each of its addresses. It has the contents
/// of NIO's `NIOConnectionError`, which only `NIOPosix` can make.
public struct AsyncIOConnectionError: Error, CustomStringConvertible {
  /// What an attempt on one address ended with.
  public struct Failure: Sendable {
    /// The address.
    public let target: NIOCore.SocketAddress
    /// Its error; NIO's `IOError` if the system has refused the connection.
    public let error: any Error
  }

  /// The host, as the caller named it.
  public let host: String
  /// The port.
  public let port: Int
  /// Why the host has no addresses; nil if it has.
  public let lookupError: (any Error)?
  /// What happened at each address, in the order of the attempts.
  public let connectionErrors: [Failure]

  /// Every address that was tried, with its error.
  public var description: String {
    if let lookupError { return "cannot connect to \(host): \(lookupError)" }
    return "cannot connect to \(host): " + connectionErrors.map { "\($0.target): \($0.error)" }.joined(separator: "; ")
  }
}
