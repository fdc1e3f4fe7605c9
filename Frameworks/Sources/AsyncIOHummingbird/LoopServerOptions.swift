public import HummingbirdCore
public import UnixSignals

/// What a run on loops may be told beyond what the application says.
public struct LoopServerOptions: Sendable {
  /// Makes what serves a connection, of the closure that answers requests.
  public typealias ChildChannel = @Sendable (@escaping HTTPChannelHandler.Responder) throws -> any ServerChildChannel

  /// Where a server listens.
  public enum Address: Sendable, Equatable {
    /// A host, by name or literal, and a port; 0 lets the system choose one.
    case host(String, port: Int)
    /// The path of a Unix socket. A socket of a server that has gone is replaced.
    case unix(path: String)
  }

  /// How long requests in flight have to be answered after a shutdown or a cancellation; `nil`: as long as they take.
  /// After it their tasks are cancelled.
  public var drain: Duration?
  /// The signals that begin a graceful shutdown.
  public var gracefulShutdownSignals: [UnixSignal]
  /// What serves a connection; `nil`: what the application's `server` makes. Give it if a version of Hummingbird does
  /// not let that be read, which is an ``UnreadableApplication``.
  public var child: ChildChannel?
  /// Where to listen; `nil`: the address of the application's configuration. Give it in the same case.
  public var address: Address?

  /// Create options.
  public init(
    drain: Duration? = .seconds(30), gracefulShutdownSignals: [UnixSignal] = [], child: ChildChannel? = nil,
    address: Address? = nil
  ) {
    self.drain = drain
    self.gracefulShutdownSignals = gracefulShutdownSignals
    self.child = child
    self.address = address
  }

  func adding(_ signals: [UnixSignal]) -> Self {
    var copy = self
    copy.gracefulShutdownSignals += signals
    return copy
  }
}
