import Glibc
import NIOCore
import Testing

/// What a channel is asked to do in each of its states, by its loop's thread and by another: promises end and handlers
/// are told as with NIO's channels.
@Suite("Each operation is answered as by NIO, whatever state the channel is in", .timeLimit(.minutes(2)))
struct OperationsTests {
  enum Kind: String, CaseIterable, Sendable { case accepted, client, listener, datagram, pipe }

  /// When it is asked.
  enum State: String, CaseIterable, Sendable {
    /// In the initializer.
    case fresh
    case registered, active, closed
    /// After the close, by another thread.
    case closedElsewhere
  }

  enum Operation: String, CaseIterable, Sendable {
    case register, bind, connect, write, writeAndFlush, flush, read, setOption, getOption, socketOption, synchronously
    case event, addHandler, closeOutput, closeInput, close
  }

  @Test("Before and while it is active", arguments: Kind.allCases, [State.fresh, .registered, .active])
  func before(kind: Kind, state: State) async throws {
    try await compare(kind == .pipe ? Site.ours : Site.oursAndSimulation) { channels in
      let target = try await channels.listen(.init(halfClosure: true)) { _ in }
      var all: [String] = []
      for operation in Operation.allCases where Self.isNIOs(operation, kind, state) {
        all += ["-- \(operation)"] + (try await Self.life(channels, kind, state, [operation], target.localAddress!))
      }
      return all
    }
  }

  @Test("A pipe that is closed while it is registered: its bootstrap says so", arguments: Site.ours)
  func earlyEnd(site: Site) async throws {
    try await site.run { channels in
      let (input, output) = (try Pipe(), try Pipe())
      await #expect(throws: ChannelError.ioOnClosedChannel) {
        _ = try await channels.pipes(input.reading, output.writing) { channel in
          try channel.pipeline.syncOperations.addHandler(OnRegistered { $0.close(promise: nil) })
        }
      }
      _ = (Glibc.close(input.writing), Glibc.close(output.reading))
    }
  }

  @Test("After its close", arguments: Kind.allCases, [State.closed, .closedElsewhere])
  func after(kind: Kind, state: State) async throws {
    // A simulated world has one thread only.
    let isOfThreads = kind == .pipe || state == .closedElsewhere
    try await compare(isOfThreads ? Site.ours : Site.oursAndSimulation) { channels in
      let target = try await channels.listen(.init(halfClosure: true)) { _ in }
      let operations = Operation.allCases.filter { Self.isNIOs($0, kind, state) }
      return try await Self.life(channels, kind, state, operations, target.localAddress!)
    }
  }

  /// False where NIO ends the process or never answers, or has an answer of its own that README names.
  private static func isNIOs(_ operation: Operation, _ kind: Kind, _ state: State) -> Bool {
    switch operation {
    case .read: state != .registered
    case .register: kind != .datagram || state != .fresh
    case .connect: (kind != .client || state != .active) && (kind != .pipe || state != .registered)
    case .close: kind != .pipe || state == .active || state == .closed || state == .closedElsewhere
    // NIO's selector takes this end of the input for the peer's.
    case .closeInput: false
    case .closeOutput: state == .active || kind != .pipe && (state == .registered || state == .fresh)
    default: true
    }
  }

  private static func life(
    _ channels: Channels, _ kind: Kind, _ state: State, _ operations: [Operation], _ target: NIOCore.SocketAddress
  ) async throws -> [String] {
    let (events, subject) = (Events(), Watched<(any Channel)?>(nil))
    let perform: @Sendable (any Channel) -> Void = { channel in
      for operation in operations { Self.perform(operation, channel, target, events) }
    }
    let ends = kind == .pipe ? (try Pipe(), try Pipe()) : nil
    defer { if let ends { _ = (Glibc.close(ends.0.writing), Glibc.close(ends.1.reading)) } }
    let outcome = await make(channels, kind, target, ends) { channel in
      subject.change { $0 = channel }
      events.watch("closeFuture", channel.closeFuture)
      let pipeline = channel.pipeline.syncOperations
      try pipeline.addHandler(Acting("front", events))
      if state == .registered { try pipeline.addHandler(OnRegistered(perform)) }
      if state == .fresh { perform(channel) }
    }
    await subject.wait(for: "a channel") { $0 != nil }
    let channel = subject.value!
    await events.wait(for: "front active true", orElse: "closeFuture succeeded")
    // To the end of the turn in which that was noted.
    try await channel.eventLoop.submit {}.get()
    if state == .active { try await channel.eventLoop.submit { perform(channel) }.get() }
    try await channel.eventLoop.submit { channel.close(promise: nil) }.get()
    try await events.wait(for: "closeFuture succeeded")
    if state == .closed { try await channel.eventLoop.submit { perform(channel) }.get() }
    if state == .closedElsewhere { perform(channel) }
    try await channel.eventLoop.submit {}.get()
    // NIO's bootstrap leaves open what it could not bind.
    let isLeft = kind == .datagram && outcome != "made"
    return events.all.filter { !isLeft || $0 != "front close all" } + [
      outcome, "\(channel.isActive) \(channel.isWritable)", "\(channel.localAddress as Any)",
    ]
  }

  /// Make a channel, and return what its bootstrap says.
  private static func make(
    _ channels: Channels, _ kind: Kind, _ target: NIOCore.SocketAddress, _ ends: (input: Pipe, output: Pipe)?,
    _ initializer: @escaping Channels.Initializer
  ) async -> String {
    do {
      switch kind {
      case .accepted:
        let listener = try await channels.listen(child: initializer)
        _ = try await channels.connect(listener.localAddress!, .init(halfClosure: true))
      case .client: _ = try await channels.connect(target, .standard, initializer)
      case .listener: _ = try await channels.listen(server: initializer) { _ in }
      case .datagram: _ = try await channels.bindDatagrams(Channels.anyPort, .standard, initializer)
      case .pipe: _ = try await channels.pipes(ends?.input.reading, ends?.output.writing, initializer)
      }
      return "made"
    } catch {
      return "failed: \(Events.name(of: error))"
    }
  }

  private static func perform(
    _ operation: Operation, _ channel: any Channel, _ target: NIOCore.SocketAddress, _ events: Events
  ) {
    let name = "\(operation)"
    let isDatagram = channel is any MulticastChannel
    let (bytes, envelope) = (ByteBuffer(string: "x"), Envelope(remoteAddress: target, data: ByteBuffer(string: "x")))
    switch operation {
    case .register: events.watch(name, channel.register())
    case .bind: events.watch(name, channel.bind(to: Channels.anyPort))
    case .connect: events.watch(name, channel.connect(to: target))
    case .write: events.watch(name, isDatagram ? channel.write(envelope) : channel.write(bytes))
    case .writeAndFlush: events.watch(name, isDatagram ? channel.writeAndFlush(envelope) : channel.writeAndFlush(bytes))
    case .flush: channel.flush()
    case .read: channel.read()
    case .setOption: events.watch(name, channel.setOption(.maxMessagesPerRead, value: 3))
    case .getOption: events.watch(name, channel.getOption(.maxMessagesPerRead).map { events.note("\($0)") })
    case .socketOption: events.watch(name, channel.setOption(.socketOption(.so_rcvbuf), value: 50_000))
    case .synchronously:
      guard channel.eventLoop.inEventLoop else { return }
      do {
        try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 2)
        events.note("synchronously")
      } catch {
        events.note("synchronously: \(Events.name(of: error))")
      }
    case .event: events.watch(name, channel.triggerUserOutboundEvent("user"))
    case .addHandler: events.watch(name, channel.pipeline.addHandler(Sizes()))
    case .closeOutput: events.watch(name, channel.closed(.output))
    case .closeInput: events.watch(name, channel.closed(.input))
    case .close: events.watch(name, channel.closed())
    }
  }
}

/// Does something when its channel is registered.
private final class OnRegistered: ChannelInboundHandler {
  typealias InboundIn = NIOAny
  private let body: (any Channel) -> Void

  init(_ body: @escaping (any Channel) -> Void) { self.body = body }

  func channelRegistered(context: ChannelHandlerContext) {
    context.fireChannelRegistered()
    body(context.channel)
  }
}
