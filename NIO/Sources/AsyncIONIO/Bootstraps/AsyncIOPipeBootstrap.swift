@_spi(Channels) internal import AsyncIO
public import NIOCore

/// Makes channels over pipes on loops of `AsyncIO`, in the spelling of NIO's `NIOPipeBootstrap`: over those of a child
/// process, or over standard input and output. Sockets and terminals count as pipes here; regular files are refused.
///
/// ```swift
/// let channel = try await AsyncIOPipeBootstrap(group: AsyncIOEventLoop.running())
///   .channelInitializer { $0.pipeline.addHandler(Lines()) }
///   .takingOwnershipOfDescriptors(input: 0, output: 1).get()
/// ```
/// A channel closes its descriptors. If none was made, as for a regular file, they stay the caller's. A value, for any
/// thread. A call returns a bootstrap with the setting; the one it was called on stays as it was.
public struct AsyncIOPipeBootstrap: Sendable {
  private let group: any EventLoopGroup
  private var options = ChannelOptions.Storage()
  private var initializer: (@Sendable (any Channel) -> EventLoopFuture<Void>)?

  /// Create a bootstrap. The next loop of the group has the channel: an ``AsyncIOEventLoop`` or an
  /// ``AsyncIOEventLoopGroup``.
  public init(group: any EventLoopGroup) { self.group = group }

  /// Create a bootstrap. Returns nil unless all loops of the group are ``AsyncIOEventLoop``s.
  public init?(validatingGroup group: any EventLoopGroup) {
    guard group.isOfOurLoops else { return nil }
    self.init(group: group)
  }

  /// Prepare the channel before it is registered: add its handlers.
  public func channelInitializer(
    _ handler: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
  ) -> Self {
    with { $0.initializer = handler }
  }

  /// Set an option of the channel.
  public func channelOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> Self {
    with { $0.options.append(key: option, value: value) }
  }

  private func with(_ change: (inout Self) -> Void) -> Self {
    var copy = self
    change(&copy)
    return copy
  }

  // MARK: Channels

  /// Read from one descriptor and write to it: a serial line, a terminal, a socket. Half a close does not end it: only
  /// the end of the channel closes the descriptor. For a connected socket see
  /// ``AsyncIOClientBootstrap/withConnectedSocket(_:)``.
  public func takingOwnershipOfDescriptor(inputOutput: CInt) -> EventLoopFuture<any Channel> {
    take(.both(inputOutput)) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Read from one pipe and write to another. They are two descriptors.
  public func takingOwnershipOfDescriptors(input: CInt, output: CInt) -> EventLoopFuture<any Channel> {
    take(.ends(input, output)) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Read from a pipe. The output of the channel is closed.
  public func takingOwnershipOfDescriptor(input: CInt) -> EventLoopFuture<any Channel> {
    take(.ends(input, nil)) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Write to a pipe. The input of the channel is closed.
  public func takingOwnershipOfDescriptor(output: CInt) -> EventLoopFuture<any Channel> {
    take(.ends(nil, output)) { $0.eventLoop.makeSucceededFuture($0) }
  }

  /// Read from one descriptor and write to it.
  ///
  /// - Parameter channelInitializer: prepares the channel, after the bootstrap's own initializer, in the thread of its
  ///   loop. What it returns is returned here when the channel is active.
  public func takingOwnershipOfDescriptor<Output: Sendable>(
    inputOutput: CInt, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await take(.both(inputOutput), channelInitializer).get()
  }

  /// Read from one pipe and write to another.
  public func takingOwnershipOfDescriptors<Output: Sendable>(
    input: CInt, output: CInt, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await take(.ends(input, output), channelInitializer).get()
  }

  /// Read from a pipe.
  public func takingOwnershipOfDescriptor<Output: Sendable>(
    input: CInt, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await take(.ends(input, nil), channelInitializer).get()
  }

  /// Write to a pipe.
  public func takingOwnershipOfDescriptor<Output: Sendable>(
    output: CInt, channelInitializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) async throws -> Output {
    try await take(.ends(nil, output), channelInitializer).get()
  }

  // MARK: Bringing up

  private enum Descriptors: Sendable {
    case both(CInt)
    case ends(CInt?, CInt?)
  }

  private func take<Output: Sendable>(
    _ descriptors: Descriptors, _ prepare: @escaping @Sendable (any Channel) -> EventLoopFuture<Output>
  ) -> EventLoopFuture<Output> {
    group.next().onOurLoop { loop in
      let pipe = try inNIOsWords {
        switch descriptors {
        case .both(let both): try ChannelPipe.open(inputOutput: both, on: loop.base)
        case .ends(let input, let output): try ChannelPipe.open(input: input, output: output, on: loop.base)
        }
      }
      let channel = StreamChannel(pipe, parent: nil, loop: loop)
      return channel.bringUp(options, initializer, prepare: prepare) {
        channel.beginConfigured().flatMap {
          switch descriptors {
          case .ends(nil, _): channel.close(mode: .input)
          case .ends(_, nil): channel.close(mode: .output)
          default: loop.makeSucceededVoidFuture()
          }
        }
      }
    }
  }
}
