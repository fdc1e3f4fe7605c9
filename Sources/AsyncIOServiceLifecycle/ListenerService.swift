#if ServiceLifecycle
  public import AsyncIO
  internal import AsyncIOPrograms
  public import ServiceLifecycle

  /// A listener with its handler, as a service of a group.
  ///
  /// ```swift
  /// let service = ListenerService("echo", drain: .seconds(20)) {
  ///   try await StreamListener.bind(host: "127.0.0.1", port: 7000)
  /// } handler: { connection in
  ///   try await connection.forEachChunk { try await connection.write($0) }
  /// }
  /// ```
  /// A graceful shutdown closes the listener; handlers then have `drain` to end, and are cancelled. Which loop it is
  /// on, and the parameters, are those of ``LoopService``.
  public struct ListenerService: Service, CustomStringConvertible {
    private let service: LoopService

    /// - Parameters:
    ///   - name: for logs.
    ///   - maximumConnections: how many handlers may run at a time.
    ///   - drain: how long handlers may go on after the shutdown; `nil` leaves the limit to the group.
    ///   - loopFactory: makes the loop if none runs where the service is run; `nil` is the current policy.
    ///   - whenStopped: is told how the service ended, and which clients were cut.
    ///   - bind: makes the listener, on the loop. It may print or keep its address.
    ///   - handler: serves one connection.
    public init(
      _ name: String, maximumConnections: Int = .max, drain: Duration? = nil,
      loopFactory: (@Sendable () throws -> any EventLoop)? = nil,
      whenStopped: @escaping @Sendable (DrainReport) -> Void = { _ in },
      bind: @escaping @Sendable () async throws -> StreamListener,
      handler: @escaping @Sendable (StreamConnection) async throws -> Void
    ) {
      service = LoopService(name, drain: drain, loopFactory: loopFactory, whenStopped: whenStopped) { stop in
        let listener = try await bind()
        try await listener.serve(maximumConnections: maximumConnections, until: stop, handler)
      }
    }

    /// The name, for logs.
    public var description: String { service.name }

    /// Serve until a stop has ended it. Throws what binding and serving throw, and `CancellationError`.
    public func run() async throws { try await service.run() }
  }

  /// The proxy of `asyncio proxy`, as a service of a group: every connection is forwarded to a target, in both
  /// directions, half-closes as half-closes and resets as resets.
  public struct ProxyService: Service, CustomStringConvertible {
    private let service: ListenerService

    /// - Parameters:
    ///   - name: for logs.
    ///   - maximumConnections: how many clients are served at a time.
    ///   - idleTimeout: how long a client may be idle in both directions before it is cut; `nil` is for ever.
    ///   - connectTimeout: how long an attempt to reach the target may take; `nil` leaves it to the system.
    ///   - drain: how long clients may go on after the shutdown; `nil` leaves the limit to the group.
    ///   - loopFactory: makes the loop if none runs where the service is run; `nil` is the current policy.
    ///   - whenStopped: is told how the service ended, and which clients were cut.
    ///   - bind: makes the listener, on the loop.
    ///   - target: connects to the target, for one client.
    public init(
      _ name: String, maximumConnections: Int = 10_000, idleTimeout: Duration? = .seconds(300),
      connectTimeout: Duration? = .seconds(10), drain: Duration? = nil,
      loopFactory: (@Sendable () throws -> any EventLoop)? = nil,
      whenStopped: @escaping @Sendable (DrainReport) -> Void = { _ in },
      bind: @escaping @Sendable () async throws -> StreamListener,
      target: @escaping @Sendable () async throws -> StreamConnection
    ) {
      let options = Proxy.Options(idleTimeout: idleTimeout, connectTimeout: connectTimeout)
      let (proxy, figures) = (Proxy(options, to: target), ProxyFigures())
      service = ListenerService(
        name, maximumConnections: maximumConnections, drain: drain, loopFactory: loopFactory,
        whenStopped: whenStopped, bind: bind
      ) { try await proxy.forward($0, figures) }
    }

    /// The name, for logs.
    public var description: String { service.description }

    /// Forward until a stop has ended it. Throws what binding and serving throw, and `CancellationError`.
    public func run() async throws { try await service.run() }
  }
#endif
