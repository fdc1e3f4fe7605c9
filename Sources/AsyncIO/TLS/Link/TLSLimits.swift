/// How long the two ends of a protected connection may take. Answers `ssl_handshake_timeout` and
/// `ssl_shutdown_timeout`.
public struct TLSLimits: Hashable, Sendable {
  /// From the beginning of the handshake to its end.
  public let handshake: Duration
  /// From the close of the connection to the peer's goodbye.
  public let shutdown: Duration

  /// Set both; 60 and 30 seconds unless given. Throws code `invalidArgument` for one that is not positive.
  public init(handshake: Duration = .seconds(60), shutdown: Duration = .seconds(30)) throws(EventLoopError) {
    try Self.check(handshake, "handshake")
    try Self.check(shutdown, "shutdown")
    self.handshake = handshake
    self.shutdown = shutdown
  }

  private init() { (handshake, shutdown) = (.seconds(60), .seconds(30)) }

  /// 60 seconds for the handshake, 30 for the shutdown.
  public static let standard = TLSLimits()

  private static func check(_ limit: Duration, _ name: String) throws(EventLoopError) {
    guard limit <= .zero else { return }
    throw EventLoopError(.invalidArgument, "TLS: the time limit of the \(name) is \(limit). Give a positive duration.")
  }
}
