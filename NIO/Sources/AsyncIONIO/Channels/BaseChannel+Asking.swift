@_spi(Channels) internal import AsyncIO
internal import NIOCore

// What other code asks of a channel, and how promises are kept.

extension BaseChannel {
  // MARK: Promises

  func fail(_ promise: EventLoopPromise<Void>?, _ error: any Error) { promise?.fail(error) }

  /// Keep a promise with what the body does.
  func complete(_ promise: EventLoopPromise<Void>?, _ body: () throws -> Void) {
    do {
      try body()
      promise?.succeed(())
    } catch {
      promise?.fail(error)
    }
  }

  // MARK: Options

  func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
    if loop.inEventLoop { return loop.makeCompletedFuture { try set(option, to: value) } }
    return loop.submit { try self.set(option, to: value) }
  }

  func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
    if loop.inEventLoop { return loop.makeCompletedFuture { try get(option) } }
    return loop.submit { try self.get(option) }
  }

  func setAutoRead(_ value: Bool) {
    guard value != autoRead else { return }
    autoRead = value
    guard life.isRegistered else { return }
    if value { read0() } else { endpoint.stopAwaitingInput() }
  }
}
