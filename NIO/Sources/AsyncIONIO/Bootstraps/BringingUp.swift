internal import NIOCore

/// Prepares a channel, or says what a bootstrap's future is to have.
typealias ChannelInitializer<Output> = @Sendable (any Channel) -> EventLoopFuture<Output>

extension BaseChannel {
  /// Prepare a new channel and let it begin, in the order of NIO's bootstraps: options, the bootstrap's initializer,
  /// the caller's, which says what the future is to have, and then what makes the channel active. One that cannot begin
  /// is closed. In the loop's thread.
  func bringUp<Output: Sendable>(
    _ options: ChannelOptions.Storage, _ initializer: ChannelInitializer<Void>?,
    prepare: @escaping ChannelInitializer<Output>, begin: @escaping @Sendable () -> EventLoopFuture<Void>
  ) -> EventLoopFuture<Output> {
    options.applyAllChannelOptions(to: self)
      .flatMap { initializer?(self) ?? self.loop.makeSucceededVoidFuture() }
      .flatMap { prepare(self) }
      .flatMap { output in begin().map { output } }
      .flatMapError { error in
        self.close0(error: error, mode: .all, promise: nil)
        return self.loop.makeFailedFuture(error)
      }
  }

  /// Register a channel whose socket or pipe is already as it is to be, and let it be active. In the loop's thread.
  func beginConfigured() -> EventLoopFuture<Void> {
    let active = loop.makePromise(of: Void.self)
    registerAlreadyConfigured0(promise: active)
    return active.futureResult
  }
}

extension NIOCore.EventLoop {
  /// Make a channel or more in the thread of this loop. Fails if it is none of ours, and with what the body throws.
  func onOurLoop<Output: Sendable>(
    _ body: @escaping @Sendable (AsyncIOEventLoop) throws -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    guard let loop = AsyncIOEventLoop.of(self) else { return makeFailedFuture(ForeignLoop(loop: "\(self)")) }
    return loop.flatSubmit {
      do { return try body(loop) } catch { return loop.makeFailedFuture(error) }
    }
  }
}

extension EventLoopGroup {
  /// True if the bootstraps have channels for all its loops.
  var isOfOurLoops: Bool {
    var count = 0
    for loop in makeIterator() {
      guard AsyncIOEventLoop.of(loop) != nil else { return false }
      count += 1
    }
    return count > 0
  }
}
