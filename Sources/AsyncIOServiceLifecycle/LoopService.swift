#if ServiceLifecycle
  public import AsyncIO
  public import ServiceLifecycle
  internal import Synchronization

  // How a service stops. Its group has two ways to say so, which are those of a graceful stop: a graceful shutdown is
  // the request, and a cancellation ends the time. The trap: the request may come before there is a stop to tell it to,
  // while the loop is still being made, and from any thread.

  /// A program on an event loop, as a service of a group.
  ///
  /// ```swift
  /// let service = LoopService("indexer", drain: .seconds(20)) { stop in
  ///   while let job = try await stop.unlessRequested({ try await queue.get() }) { try await index(job) }
  /// }
  /// try await ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm], logger: logger).run()
  /// ```
  /// A service that is run by a task on a loop, as under an ``AsyncProgram``, is on that loop; elsewhere it has a loop
  /// of its own in a thread of its own, like ``AsyncIO/run(debug:loopFactory:_:)-1blvd``. A graceful shutdown of the
  /// group requests the stop that the body is given; after `drain` the body, and what has joined the stop, is
  /// cancelled. Leave signals to the group.
  public struct LoopService: Service, CustomStringConvertible {
    /// The name, for logs.
    public let name: String
    private let drain: Duration?
    private let loopFactory: (@Sendable () throws -> any EventLoop)?
    private let whenStopped: @Sendable (DrainReport) -> Void
    private let body: @Sendable (GracefulStop) async throws -> Void

    /// - Parameters:
    ///   - name: for logs.
    ///   - drain: how long what runs at the shutdown may go on; `nil` leaves the limit to the group's
    ///     `maximumGracefulShutdownDuration`.
    ///   - loopFactory: makes the loop if none runs where the service is run; `nil` is the current policy.
    ///   - whenStopped: is told how the service ended, unless by an error. It runs on the loop.
    ///   - body: the program. It may serve listeners until the stop, and make tasks for it.
    public init(
      _ name: String, drain: Duration? = nil, loopFactory: (@Sendable () throws -> any EventLoop)? = nil,
      whenStopped: @escaping @Sendable (DrainReport) -> Void = { _ in },
      _ body: @escaping @Sendable (GracefulStop) async throws -> Void
    ) {
      (self.name, self.drain, self.loopFactory) = (name, drain, loopFactory)
      (self.whenStopped, self.body) = (whenStopped, body)
    }

    /// The name, for logs.
    public var description: String { name }

    /// Run the program until it ends, or until a stop has ended it. Throws what the body throws, and
    /// `CancellationError`; and what making a loop throws.
    public func run() async throws {
      let relay = StopRelay()
      try await withGracefulShutdownHandler {
        if (try? getRunningLoop()) != nil {
          try await serve(relay)
        } else {
          try await AsyncIO.run(loopFactory: loopFactory) { try await serve(relay) }
        }
      } onGracefulShutdown: {
        relay.request()
      }
    }

    private func serve(_ relay: StopRelay) async throws {
      let report = try await withGracefulStop(on: [], drain: drain) { stop in
        relay.begin(stop)
        try await body(stop)
      }
      whenStopped(report)
    }
  }

  /// Keeps a request until there is a stop to tell it to. Any thread.
  private final class StopRelay: Sendable {
    private struct State {
      var stop: GracefulStop?
      var isRequested = false
    }

    private let state = Mutex(State())

    func begin(_ stop: GracefulStop) {
      let isRequested = state.withLock { state in
        state.stop = stop
        return state.isRequested
      }
      if isRequested { stop.request() }
    }

    func request() {
      let stop = state.withLock { state in
        state.isRequested = true
        return state.stop
      }
      stop?.request()
    }
  }
#endif
