import Glibc
import NIOCore
import NIOPosix
import Testing

/// Peers that end or reset the connection in each state of a channel: handlers and promises are told what NIO tells.
@Suite("A peer's end or reset, in whatever state it comes", .timeLimit(.minutes(2)))
struct ResetTests {
  /// What the peer does at last.
  enum End: String, CaseIterable, Sendable { case close, reset, halfClose }

  /// The state of the channel when that happens.
  enum State: String, CaseIterable, Sendable {
    /// Connected, and nothing was said.
    case idle
    /// It has read.
    case talked
    /// Input waits that nobody reads, as auto-read is off.
    case unread
    /// Auto-read is off, and nothing waits.
    case silent
    /// More is written than the peer takes.
    case writing
    /// The same, and auto-read is off.
    case writingSilently
    /// Writes wait that were not flushed.
    case unflushed
    /// It has closed its output, with nothing that waits.
    case halfClosed
    /// It closes its output behind writes that wait.
    case halfClosing
    /// The peer has closed its output.
    case peerHalfClosed
  }

  @Test("In each state, with and without half-closure", arguments: State.allCases, End.allCases)
  func end(state: State, end: End) async throws {
    // After the end of the input io_uring does not look for a reset.
    try await compare(state == .peerHalfClosed && end == .reset ? [.selector, .poll] : Site.ours) { channels in
      let whole = try await Self.connection(channels, state, end, allowsHalf: false)
      return whole + ["-- half"] + (try await Self.connection(channels, state, end, allowsHalf: true))
    }
  }

  @Test("Before it is accepted", arguments: End.allCases, [true, false])
  func beforeAccept(end: End, hasSpoken: Bool) async throws {
    try await compare { channels in
      let events = Events()
      let listener = try await channels.listen(
        server: { try $0.syncOptions?.setOption(.autoRead, value: false) },
        child: { channel in
          events.watch("closeFuture", channel.closeFuture)
          try channel.pipeline.syncOperations.addHandler(Noting(events))
        })
      let peer = try await Channels(site: .nio, group: MultiThreadedEventLoopGroup.singleton).connect(
        listener.localAddress!, Channels.Options(halfClosure: true))
      if hasSpoken { try await peer.writeAndFlush(ByteBuffer(string: "hello")) }
      try await Self.act(end, peer)
      try await listener.setOption(.autoRead, value: true).get()
      try await events.wait(for: "closeFuture succeeded")
      try? await peer.close()
      try await listener.close()
      return events.all
    }
  }

  private static func act(_ end: End, _ peer: any Channel) async throws {
    if end == .reset {
      try? await (peer as! any SocketOptionProvider).setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
    }
    try? await peer.close(mode: end == .halfClose ? .output : .all)
  }

  /// More than the system takes.
  private static let much = ByteBuffer(repeating: 7, count: 20_000_000)

  private static func connection(
    _ channels: Channels, _ state: State, _ end: End, allowsHalf: Bool
  ) async throws -> [String] {
    let (events, accepted) = (Events(), Watched<(any Channel)?>(nil))
    let reads = ![.unread, .silent, .writingSilently].contains(state)
    let listener = try await channels.listen(Channels.Options(halfClosure: allowsHalf, autoRead: reads)) { channel in
      events.watch("closeFuture", channel.closeFuture)
      try channel.pipeline.syncOperations.addHandler(
        Noting(events) { event, _ in if event == "active true" { accepted.change { $0 = channel } } })
    }
    // The peer reads by hand. It is on a loop of its own: what waits for it must not take memory from the other end.
    let peer = try await Channels(site: .nio, group: MultiThreadedEventLoopGroup.singleton).connect(
      listener.localAddress!, Channels.Options(halfClosure: true, autoRead: false))
    await accepted.wait(for: "a connection") { $0 != nil }
    let channel = accepted.value!
    try await prepare(channel, peer, state, events)
    try await act(end, peer)
    try await finish(channel, state, end, events)
    try? await peer.close()
    try await listener.close()
    // NIO tells of the end of the input once more when the connection is reset.
    let notes = events.all
    return state == .peerHalfClosed ? notes.filter { $0 != "complete" } : notes
  }

  /// Bring the channel into a state.
  private static func prepare(
    _ channel: any Channel, _ peer: any Channel, _ state: State, _ events: Events
  ) async throws {
    switch state {
    case .idle, .silent: break
    case .talked, .unread:
      try await peer.writeAndFlush(ByteBuffer(string: "hello"))
      if state == .talked { try await events.wait(for: "read 5") }
    case .writing, .writingSilently, .halfClosing:
      try await channel.eventLoop.submit {
        for number in 0..<3 { events.watch("write \(number)", channel.writeAndFlush(Self.much)) }
        if state == .halfClosing { events.watch("output", channel.closed(.output)) }
      }.get()
    case .unflushed:
      try await channel.eventLoop.submit {
        for number in 0..<2 { events.watch("write \(number)", channel.write(ByteBuffer(string: "hello"))) }
      }.get()
    case .halfClosed: try await channel.eventLoop.submit { events.watch("output", channel.closed(.output)) }.get()
    case .peerHalfClosed:
      try await peer.close(mode: .output)
      await events.wait(for: "event inputClosed", orElse: "closeFuture succeeded")
    }
  }

  /// Wait until the channel knows, and close it if that has not.
  private static func finish(_ channel: any Channel, _ state: State, _ end: End, _ events: Events) async throws {
    if state == .peerHalfClosed {
      // The end was told before.
      if end == .reset { try await events.wait(for: "closeFuture succeeded") }
    } else {
      await events.wait(for: "event inputClosed", orElse: "closeFuture succeeded")
    }
    try await channel.eventLoop.submit { events.watch("close", channel.closed()) }.get()
    try await events.wait(for: "closeFuture succeeded")
    try await channel.eventLoop.submit {}.get()
  }
}
