import AsyncIONIO
import NIOCore
import NIOPosix

typealias Envelope = AddressedEnvelope<ByteBuffer>

extension Channels {
  /// What a test sets of a channel for datagrams.
  struct DatagramOptions: Sendable {
    var autoRead = true
    var waterMark: ChannelOptions.Types.WriteBufferWaterMark?
    var receiveSize: Int?
    var messagesPerRead: UInt?

    static let standard = DatagramOptions()
  }

  static let anyPort = try! NIOCore.SocketAddress(ipAddress: "127.0.0.1", port: 0)

  func bindDatagrams(
    _ address: NIOCore.SocketAddress = anyPort, _ options: DatagramOptions = .standard,
    _ initializer: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    site == .nio
      ? try await nioBootstrap(options, initializer).bind(to: address).get()
      : try await ourBootstrap(options, initializer).bind(to: address).get()
  }

  func connectDatagrams(
    _ address: NIOCore.SocketAddress, _ options: DatagramOptions = .standard,
    _ initializer: @escaping Initializer = { _ in }
  ) async throws -> any Channel {
    site == .nio
      ? try await nioBootstrap(options, initializer).connect(to: address).get()
      : try await ourBootstrap(options, initializer).connect(to: address).get()
  }

  private func nioBootstrap(_ options: DatagramOptions, _ initializer: @escaping Initializer) -> DatagramBootstrap {
    var bootstrap = DatagramBootstrap(group: group)
      .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try initializer(channel) } }
      .channelOption(.autoRead, value: options.autoRead)
    if let mark = options.waterMark { bootstrap = bootstrap.channelOption(.writeBufferWaterMark, value: mark) }
    if let size = options.receiveSize {
      bootstrap = bootstrap.channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: size))
    }
    if let count = options.messagesPerRead { bootstrap = bootstrap.channelOption(.maxMessagesPerRead, value: count) }
    return bootstrap
  }

  private func ourBootstrap(
    _ options: DatagramOptions, _ initializer: @escaping Initializer
  ) -> AsyncIODatagramBootstrap {
    var bootstrap = AsyncIODatagramBootstrap(group: group)
      .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try initializer(channel) } }
      .channelOption(.autoRead, value: options.autoRead)
    if let mark = options.waterMark { bootstrap = bootstrap.channelOption(.writeBufferWaterMark, value: mark) }
    if let size = options.receiveSize {
      bootstrap = bootstrap.channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: size))
    }
    if let count = options.messagesPerRead { bootstrap = bootstrap.channelOption(.maxMessagesPerRead, value: count) }
    return bootstrap
  }
}

extension Channel {
  /// Write a datagram, as a future.
  func sent(_ text: String, to address: NIOCore.SocketAddress) -> EventLoopFuture<Void> {
    writeAndFlush(Envelope(remoteAddress: address, data: ByteBuffer(string: text)))
  }
}

/// Notes what a channel for datagrams is told, each datagram by its size, and answers if a test wants it.
final class NotingDatagrams: ChannelDuplexHandler {
  typealias InboundIn = Envelope
  typealias OutboundIn = Envelope

  private let events: Events
  private let answers: Bool
  private let notesCompletion: Bool

  init(_ events: Events, answers: Bool = false, notesCompletion: Bool = false) {
    (self.events, self.answers, self.notesCompletion) = (events, answers, notesCompletion)
  }

  func handlerRemoved(context: ChannelHandlerContext) { events.note("removed") }
  func channelRegistered(context: ChannelHandlerContext) { events.note("registered") }
  func channelUnregistered(context: ChannelHandlerContext) { events.note("unregistered") }
  func channelActive(context: ChannelHandlerContext) {
    events.note("active \(context.channel.isActive)")
    context.fireChannelActive()
  }
  func channelInactive(context: ChannelHandlerContext) { events.note("inactive \(context.channel.isActive)") }
  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let envelope = unwrapInboundIn(data)
    events.note("datagram \(envelope.data.readableBytes)")
    if answers { context.writeAndFlush(NIOAny(envelope), promise: nil) }
  }
  func channelReadComplete(context: ChannelHandlerContext) {
    // Each is noted, even one that follows another.
    if notesCompletion { events.note("all read") }
    context.fireChannelReadComplete()
  }
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    events.note("writable \(context.channel.isWritable)")
  }
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    events.note("error \(Events.name(of: error))")
  }
  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    events.note("close \(mode)")
    context.close(mode: mode, promise: promise)
  }
}
