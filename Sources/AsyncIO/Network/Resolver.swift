internal import CAsyncIO
internal import Logging
internal import Synchronization

/// Turns host names into addresses, and addresses into names.
///
/// getaddrinfo(3) blocks for as long as the resolver takes, and cannot be interrupted. So names have a thread pool of
/// their own, which user work cannot fill and which cannot starve user work; a cancelled task goes on at once, and the
/// late answer is dropped. Literal addresses need no thread.
enum Resolver {
  struct Threads {
    var generation = casyncio_fork_generation()
    var pool = ThreadPool(maximumThreads: 8, name: "asyncio dns")
  }

  private static let threads = Lock(Threads())

  /// The threads of this process: a fork takes none of them along, so its child makes its own.
  private static var pool: ThreadPool {
    threads.withLock { threads in
      if threads.generation != casyncio_fork_generation() {
        // Held for ever: its end would wait for threads that are the parent's.
        _ = Unmanaged.passRetained(threads.pool)
        threads = Threads()
      }
      return threads.pool
    }
  }

  /// A look-up that has begun.
  enum LookUp {
    case known([AddressInfo])
    case asked(Future<[AddressInfo]>)

    /// Return the answer, in the resolver's order; never empty. Throws ``ResolutionError``, `CancellationError`,
    /// ``IOError`` if no thread could be started to ask in.
    func get() async throws -> [AddressInfo] {
      switch self {
      case .known(let found): found
      case .asked(let future): try await future.get()
      }
    }

    /// Cancel: no task waits for the answer any more.
    func cancel() {
      if case .asked(let future) = self { future.cancel() }
    }
  }

  /// Begin a look-up. Throws ``ResolutionError`` for a query that is known to have no answer, code `closed`.
  static func begin(_ query: AddressQuery, on loop: BaseEventLoop) throws -> LookUp {
    if loop.isClosed { throw EventLoopError.closed("getaddrinfo") }
    let reading = try Literals.read(query)
    if let found = try Literals.addresses(reading) { return .known(found) }
    let query = reading.query
    let lookUp = loop.nameService.addresses
    let operation = "getaddrinfo(\(query.subject))"
    let future = try loop.runInExecutor(loop.nameThreads ?? pool, for: operation) {
      try timed(loop, operation) {
        let found = try lookUp(query)
        guard !found.isEmpty else { throw ResolutionError(host: query.host ?? "", reason: "it has no addresses") }
        return found
      }
    }
    return .asked(future)
  }

  /// Return all addresses for a query.
  static func addresses(_ query: AddressQuery, on loop: BaseEventLoop) async throws -> [AddressInfo] {
    let lookUp = try begin(query, on: loop)
    return try await lookUp.get()
  }

  /// Return host and service of an address.
  static func names(
    _ address: SocketAddress, _ flags: NameInfoFlags, on loop: BaseEventLoop
  ) async throws -> NameInfo {
    if loop.isClosed { throw EventLoopError.closed("getnameinfo") }
    if flags.isSuperset(of: [.numericHost, .numericService]), !flags.contains(.nameRequired),
      let host = address.host, let port = address.port
    {
      return NameInfo(host: host, service: "\(port)")
    }
    let lookUp = loop.nameService.names
    let operation = "getnameinfo(\(address))"
    return try await loop.runInExecutor(loop.nameThreads ?? pool, for: operation) {
      try timed(loop, operation) { try lookUp(address, flags) }
    }.get()
  }

  /// Log a slow look-up in debug mode: a task that waits for it does not see what it waits for.
  private static func timed<R>(_ loop: BaseEventLoop, _ what: String, _ body: () throws -> R) rethrows -> R {
    guard loop.isDebug else { return try body() }
    let start = casyncio_monotonic_nanoseconds()
    defer {
      let took = casyncio_monotonic_nanoseconds() - start
      if took >= loop.slowCallbackNanoseconds.load(ordering: .relaxed) {
        loop.logger.warning("\(what) took \(Double(took) / 1e9) seconds")
      }
    }
    return try body()
  }
}
