internal import NIOCore

// RFC 8305, "happy eyeballs", with a channel for each address. The traps:
//
// - The initializer of a channel may take long, and its channel counts as an attempt from the beginning. So the race
//   knows the channel before the initializer is called, and can close it.
// - A failure may come from inside the call that begins an attempt, and so may the end of everything.
// - A loop that shuts down closes the channels, and each of them fails; the next address is not tried then.
// - A resolver of the program's answers for each family by itself. The second answer may come while the addresses of
//   the first are tried, or after all of them have failed.

/// Connects to the first address of a host that answers. The next attempt begins when one has failed, or 250 ms after
/// the latest one has begun. The first success wins; the channels of the others are closed.
///
/// All of it is in the loop's thread, which makes the unchecked conformance right.
final class HostRace<Output: Sendable>: @unchecked Sendable {
  /// A channel, and what comes of it when it is connected.
  typealias Attempt = (channel: StreamChannel, outcome: EventLoopFuture<Output>)

  private let host: String
  private let port: Int
  private let loop: AsyncIOEventLoop
  private let start: @Sendable (NIOCore.SocketAddress) throws -> Attempt
  private let promise: EventLoopPromise<Output>

  private var addresses: [NIOCore.SocketAddress] = []
  private var next = 0
  private var running: [Int: StreamChannel] = [:]
  private var errors: [Int: any Error] = [:]
  private var isOver = false
  private var resolver: (any AsyncIOResolver & Sendable)?
  private var queries = Queries()
  /// Runs while only IPv4 has been answered: IPv6 is to be first if its answer comes soon.
  private var patience: Scheduled<Void>?
  private var stagger: Scheduled<Void>?
  private var limit: Scheduled<Void>?

  /// - Parameter start: makes a channel and begins to connect it; called in the loop's thread.
  init(
    _ host: String, _ port: Int, on loop: AsyncIOEventLoop,
    start: @escaping @Sendable (NIOCore.SocketAddress) throws -> Attempt
  ) {
    (self.host, self.port, self.loop, self.start) = (host, port, loop, start)
    promise = loop.makePromise(of: Output.self)
  }

  /// Look the host up and connect. Fails with ``AsyncIOConnectionError``, with `ChannelError.connectTimeout` if both
  /// take longer than `timeout`, with `EventLoopError.shutdown` if the loop ends.
  ///
  /// - Parameter resolver: answers instead of the loop's own.
  func run(resolver: (any AsyncIOResolver & Sendable)?, timeout: TimeAmount) -> EventLoopFuture<Output> {
    self.resolver = resolver
    let limit = loop.assumeIsolated().scheduleTask(in: timeout) {
      self.end(.failure(ChannelError.connectTimeout(timeout)))
    }
    self.limit = limit
    // After the end the limit is cancelled; before, its failure is the end of the loop.
    limit.futureResult.whenFailure { self.end(.failure($0)) }
    if let resolver { ask(resolver) } else { lookUp() }
    return promise.futureResult
  }

  private func lookUp() {
    Lookup.addresses(of: host, port: port, on: loop).assumeIsolated().whenComplete { result in
      guard !self.isOver else { return }
      switch result {
      case .success(let addresses):
        self.addresses = Lookup.interleaved(addresses)
        self.startNext()
      case .failure(let error): self.end(.failure(self.failure(lookup: error)))
      }
    }
  }

  // MARK: A resolver of the program's

  private func ask(_ resolver: any AsyncIOResolver & Sendable) {
    queries.begin(.v6)
    queries.begin(.v4)
    resolver.initiateAAAAQuery(host: host, port: port).hop(to: loop).assumeIsolated()
      .whenComplete { self.answered(.v6, $0) }
    resolver.initiateAQuery(host: host, port: port).hop(to: loop).assumeIsolated()
      .whenComplete { self.answered(.v4, $0) }
  }

  private func answered(_ family: Queries.Family, _ answer: Result<[NIOCore.SocketAddress], any Error>) {
    guard !isOver else { return }
    let found = queries.end(family, answer)
    // What waits already keeps its order; the family that was not tried last is next.
    let last = next > 0 ? addresses[next - 1].protocol : nil
    let waiting = family == .v6 ? found + Array(addresses[next...]) : Array(addresses[next...]) + found
    addresses = Array(addresses[..<next]) + Lookup.interleaved(waiting, after: last)
    guard family == .v4, queries.areRunning else {
      patience?.cancel()
      patience = nil
      return goOn()
    }
    patience = loop.assumeIsolated().scheduleTask(in: .milliseconds(50)) {
      self.patience = nil
      self.goOn()
    }
  }

  /// Try the addresses that have come, unless the next attempt has its time already.
  private func goOn() { if !isOver && stagger == nil { startNext() } }

  // MARK: Attempts

  private func startNext() {
    stagger?.cancel()
    stagger = nil
    guard loop.isOpen else { return end(.failure(NIOCore.EventLoopError.shutdown)) }
    guard next < addresses.count else {
      if running.isEmpty && !queries.areRunning { end(.failure(failure(lookup: addresses.isEmpty ? noAddress : nil))) }
      return
    }
    let number = next
    next += 1
    if next < addresses.count || queries.areRunning {
      stagger = loop.assumeIsolated().scheduleTask(in: .milliseconds(250)) { self.startNext() }
    }
    do {
      let attempt = try start(addresses[number])
      running[number] = attempt.channel
      attempt.outcome.assumeIsolated().whenComplete { self.ended(number, attempt.channel, $0) }
    } catch {
      failed(number, error)
    }
  }

  private func ended(_ number: Int, _ channel: StreamChannel, _ result: Result<Output, any Error>) {
    running[number] = nil
    switch result {
    // A handler may have kept the close of a channel that has lost from it.
    case .success where isOver: channel.close(promise: nil)
    case .success: end(result)
    case .failure(let error): if !isOver { failed(number, error) }
    }
  }

  private func failed(_ number: Int, _ error: any Error) {
    errors[number] = error
    startNext()
  }

  private func end(_ result: Result<Output, any Error>) {
    guard !isOver else { return }
    isOver = true
    for timer in [stagger, limit, patience] { timer?.cancel() }
    (stagger, limit, patience) = (nil, nil, nil)
    if queries.areRunning { resolver?.cancelQueries() }
    resolver = nil
    let others = running.sorted { $0.key < $1.key }.map(\.value)
    running = [:]
    for channel in others { channel.close(promise: nil) }
    promise.completeWith(result)
  }

  private var noAddress: any Error { queries.error ?? NoAddresses(host: host) }

  private func failure(lookup: (any Error)?) -> AsyncIOConnectionError {
    AsyncIOConnectionError(
      host: host, port: port, lookupError: lookup,
      connectionErrors: errors.sorted { $0.key < $1.key }.map { .init(target: addresses[$0.key], error: $0.value) })
  }
}
