internal import NIOCore

// RFC 8305, "happy eyeballs", with a channel for each address. The traps:
//
// - The initializer of a channel may take long, and its channel counts as an attempt from the beginning. So the race
//   knows the channel before the initializer is called, and can close it.
// - A failure may come from inside the call that begins an attempt, and so may the end of everything.
// - A loop that shuts down closes the channels, and each of them fails; the next address is not tried then.

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
  func run(timeout: TimeAmount) -> EventLoopFuture<Output> {
    let limit = loop.assumeIsolated().scheduleTask(in: timeout) {
      self.end(.failure(ChannelError.connectTimeout(timeout)))
    }
    self.limit = limit
    // After the end the limit is cancelled; before, its failure is the end of the loop.
    limit.futureResult.whenFailure { self.end(.failure($0)) }
    Lookup.addresses(of: host, port: port, on: loop).assumeIsolated().whenComplete { result in
      guard !self.isOver else { return }
      switch result {
      case .success(let addresses):
        self.addresses = Lookup.interleaved(addresses)
        self.startNext()
      case .failure(let error): self.end(.failure(self.failure(lookup: error)))
      }
    }
    return promise.futureResult
  }

  private func startNext() {
    stagger?.cancel()
    stagger = nil
    guard loop.isOpen else { return end(.failure(NIOCore.EventLoopError.shutdown)) }
    guard next < addresses.count else {
      if running.isEmpty { end(.failure(failure(lookup: nil))) }
      return
    }
    let number = next
    next += 1
    if next < addresses.count {
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
    stagger?.cancel()
    limit?.cancel()
    (stagger, limit) = (nil, nil)
    let others = running.sorted { $0.key < $1.key }.map(\.value)
    running = [:]
    for channel in others { channel.close(promise: nil) }
    promise.completeWith(result)
  }

  private func failure(lookup: (any Error)?) -> AsyncIOConnectionError {
    AsyncIOConnectionError(
      host: host, port: port, lookupError: lookup,
      connectionErrors: errors.sorted { $0.key < $1.key }.map { .init(target: addresses[$0.key], error: $0.value) })
  }
}
