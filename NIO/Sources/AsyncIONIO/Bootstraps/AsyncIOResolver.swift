public import NIOCore

/// Looks hosts up for ``AsyncIOClientBootstrap/resolver(_:)``, with the requirements of NIO's `Resolver`, which only
/// `NIOPosix` has. A type that conforms to that one needs an empty extension:
///
/// ```swift
/// extension MyResolver: AsyncIOResolver {}
/// ```
/// Both queries are made in the thread of the connection's loop, that for IPv6 first. Their futures may be of any loop.
public protocol AsyncIOResolver {
  /// Look up the IPv4 addresses of a host, in the order in which they are to be tried.
  func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[NIOCore.SocketAddress]>

  /// Look up the IPv6 addresses of a host, in the order in which they are to be tried.
  func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[NIOCore.SocketAddress]>

  /// Give up the queries that are not finished: the connection is made, or has failed. In the thread of its loop.
  func cancelQueries()
}

/// The answers of a resolver of the program's, as they come. For the thread of one loop.
struct Queries {
  private var running: Set<Family> = []
  /// The errors, by the order of the queries.
  private var errors: [Family: any Error] = [:]

  enum Family: Int, Sendable { case v6, v4 }

  var areRunning: Bool { !running.isEmpty }
  /// Why there are no addresses, if a query has failed.
  var error: (any Error)? { errors[.v6] ?? errors[.v4] }

  mutating func begin(_ family: Family) { running.insert(family) }

  /// Note an answer. Returns its addresses.
  mutating func end(
    _ family: Family, _ answer: Result<[NIOCore.SocketAddress], any Error>
  ) -> [NIOCore.SocketAddress] {
    running.remove(family)
    switch answer {
    case .success(let addresses): return addresses
    case .failure(let error):
      errors[family] = error
      return []
    }
  }
}

/// A resolver that has answered with nothing.
struct NoAddresses: Error, CustomStringConvertible {
  let host: String
  var description: String { "the resolver has no address of \(host)" }
}
