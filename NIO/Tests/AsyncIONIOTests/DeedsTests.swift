import NIOCore
import Testing

/// A handler fails, leaves, closes or writes in each of its calls, on channels of each kind, between two handlers that
/// note what reaches them: all of it is as on NIO's channels.
@Suite("Whatever a handler does in a call, the others are told what NIO tells them", .timeLimit(.minutes(2)))
struct DeedsTests {
  /// Whose channel the handler is in.
  enum Role: String, CaseIterable, Sendable { case accepted, client, listener }

  @Test("In every call, once", arguments: Role.allCases, Deed.allCases)
  func everyCall(role: Role, deed: Deed) async throws {
    // Linux ends the output of a socket that is not connected, and says that it cannot.
    let isOfLinux = deed == .closesOutput && role == .client
    try await compare(isOfLinux ? Site.ours : Site.oursAndSimulation) { channels in
      var all: [String] = []
      // On a channel that is closed, NIO closes an output that is not there, and says so.
      let ends: Set<Callback> = [.inactive, .unregistered, .removed]
      for callback in Callback.allCases where deed != .closesOutput || !ends.contains(callback) {
        all += ["-- \(callback)"] + (try await Self.life(channels, role, callback, deed))
      }
      return all
    }
  }

  /// What an initializer does at its end.
  enum Refusal: String, CaseIterable, Sendable { case fails, closes, closesAndFails }

  @Test("In an initializer that fails or closes its channel", arguments: Role.allCases)
  func initializers(role: Role) async throws {
    try await compare(Site.oursAndSimulation) { channels in
      var all: [String] = []
      for refusal in Refusal.allCases {
        all.append("-- \(refusal)")
        let events = Events()
        all += try await Self.life(channels, role, events) { channel in
          try channel.pipeline.syncOperations.addHandler(Acting("handler", events))
          if refusal != .fails { events.watch("close", channel.closed()) }
          if refusal != .closes { throw Deed.Trouble() }
        }
      }
      return all
    }
  }

  @Sendable private static func life(
    _ channels: Channels, _ role: Role, _ callback: Callback, _ deed: Deed
  ) async throws -> [String] {
    let events = Events()
    return try await life(channels, role, events) { channel in
      try channel.pipeline.syncOperations.addHandlers(
        Acting("front", events), Acting("acting", events, callback, deed), Acting("back", events))
    }
  }

  /// A channel's life in which every call happens, unless its initializer or its handlers prevent it.
  private static func life(
    _ channels: Channels, _ role: Role, _ events: Events, _ initializer: @escaping Channels.Initializer
  ) async throws -> [String] {
    let (subject, peer) = (Watched<(any Channel)?>(nil), Watched<(any Channel)?>(nil))
    let acts: Channels.Initializer = { channel in
      subject.change { $0 = channel }
      events.watch("closeFuture", channel.closeFuture)
      try initializer(channel)
    }
    let nothing: Channels.Initializer = { _ in }
    let accepts: Channels.Initializer = { channel in peer.change { $0 = channel } }
    var (own, others) = (Channels.Options(), Channels.Options(halfClosure: true))
    own.waterMark = .init(low: 2, high: 5)
    own.local = try NIOCore.SocketAddress(ipAddress: "127.0.0.1", port: 0)
    others.local = own.local
    // Nobody else gets the port of a listener that has closed early.
    let address = try channels.quietAddress()
    var outcome = "listens"
    do {
      let listener = try await channels.listen(
        role == .accepted ? own : others, on: address, server: role == .listener ? acts : nothing,
        child: role == .accepted ? acts : accepts)
      do {
        let client = try await channels.connect(
          listener.localAddress ?? address, role == .client ? own : others, role == .client ? acts : nothing)
        if role != .client { peer.change { $0 = client } }
        // A listener may have closed just before.
      } catch  where role == .listener {}
    } catch {
      outcome = "failed: \(Events.name(of: error))"
    }
    await subject.wait(for: "a channel") { $0 != nil }
    try await use(subject.value!, role, peer, events)
    return events.all + [outcome]
  }

  /// Call for everything that a channel does once it is active, if it is, and close it.
  private static func use(
    _ channel: any Channel, _ role: Role, _ peer: Watched<(any Channel)?>, _ events: Events
  ) async throws {
    await events.wait(for: "front active true", orElse: "closeFuture succeeded")
    if role == .listener { await events.wait(for: "front readComplete", orElse: "closeFuture succeeded") }
    // To the end of the turn in which that was noted.
    try await channel.eventLoop.submit {}.get()
    let isActive = try await channel.eventLoop.submit {
      guard channel.isActive else { return false }
      channel.pipeline.fireUserInboundEventTriggered("user")
      channel.pipeline.fireErrorCaught(Deed.Trouble())
      events.watch("write", channel.written("ten bytes!"))
      return channel.isActive
    }.get()
    if isActive && role != .listener {
      await peer.wait(for: "its peer") { $0 != nil }
      peer.value?.writeAndFlush(ByteBuffer(string: "hello"), promise: nil)
      await events.wait(for: "front readComplete", orElse: "closeFuture succeeded")
      try await channel.eventLoop.submit {}.get()
    }
    try await channel.eventLoop.submit {
      events.watch("close", channel.closed())
      events.watch("second close", channel.closed())
    }.get()
    try await events.wait(for: "closeFuture succeeded")
    // What its callbacks have left for later.
    try await channel.eventLoop.submit {}.get()
  }
}
