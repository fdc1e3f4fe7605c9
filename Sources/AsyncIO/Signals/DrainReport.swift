/// How a graceful stop went: what asked for it, how long it took, and what had to be cancelled.
///
/// ``StreamListener/serve(maximumConnections:drain:on:_:)`` and ``withGracefulStop(on:drain:_:)`` return one. Whatever
/// it names has ended by then: what was cancelled was also awaited.
public struct DrainReport: Sendable, CustomStringConvertible {
  /// Something that had not ended when its time was over, and was cancelled.
  public struct Unfinished: Sendable, CustomStringConvertible {
    /// How reports call it: "descriptor 9, 127.0.0.1:7000 to 127.0.0.1:51234" for a connection, the name of a task, or
    /// "the body" of a scope, if its cancellation ended it.
    public let name: String
    /// The other side of a connection; `nil` for tasks, and if the system no longer had an address.
    public let peer: SocketAddress?
    /// How long it went on after the request to stop.
    public let duration: Duration

    /// The name and the duration.
    public var description: String { "\(name) (\(duration))" }
  }

  /// True if a stop was requested; false if everything ended before that, by itself.
  public let wasRequested: Bool
  /// The number of the signal that requested it; `nil` if code did.
  public let signal: Int32?
  /// The time from the request to the end of everything; zero without a request.
  public let duration: Duration
  /// True if a second signal, or ``GracefulStop/cancelNow()``, ended the time early.
  public let wasForced: Bool
  /// What was cancelled, in the order in which it was.
  public let unfinished: [Unfinished]

  /// All of it in one line.
  public var description: String {
    guard wasRequested else { return "ended without a request to stop" }
    let cause = signal.map { "by signal \($0)" } ?? "by request"
    let end = "stopped \(cause) in \(duration)\(wasForced ? ", forced" : "")"
    if unfinished.isEmpty { return end }
    return "\(end); cancelled: \(unfinished.map(\.description).joined(separator: ", "))"
  }
}
