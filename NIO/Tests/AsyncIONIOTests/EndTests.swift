import Glibc
import NIOCore
import Synchronization
import Testing

/// The end of a peer that nobody reads: handlers are told as NIO tells them.
@Suite("A peer's end is noticed without a read", .timeLimit(.minutes(2)))
struct EndTests {
  /// What the peer does.
  enum End: String, CaseIterable, Sendable {
    case close, bytesAndClose, halfClose, bytesAndHalfClose, reset, bytesAndReset
  }

  private static func act(_ end: End, _ channel: any Channel) async throws {
    if end == .reset || end == .bytesAndReset {
      try await (channel as! any SocketOptionProvider).setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
    }
    switch end {
    case .close, .reset: try await channel.close()
    case .halfClose: try await channel.close(mode: .output)
    case .bytesAndHalfClose, .bytesAndClose, .bytesAndReset:
      try await channel.writeAndFlush(ByteBuffer(repeating: 7, count: 5000))
      try await channel.close(mode: end == .bytesAndHalfClose ? .output : .all)
    }
  }

  @Test(
    "Without auto-read, with and without half-closure", arguments: Site.oursAndSimulation,
    [true, false].flatMap { isAllowed in End.allCases.map { (isAllowed, $0) } })
  func withoutReading(site: Site, of: (isAllowed: Bool, end: End)) async throws {
    let (isAllowed, end) = of
    let program: @Sendable (Channels) async throws -> [String] = { channels in
      let (events, accepted) = (Events(), Events())
      let options = Channels.Options(halfClosure: isAllowed, autoRead: false)
      let child = Mutex<(any Channel)?>(nil)
      let listener = try await channels.listen(options) { channel in
        child.withLock { $0 = channel }
        try channel.pipeline.syncOperations.addHandler(
          Noting(events) { event, _ in if event == "active true" { accepted.note(event) } })
      }
      let channel = try await channels.connect(listener.localAddress!, Channels.Options(halfClosure: true))
      try await accepted.wait(for: "active true")
      try await Self.act(end, channel)
      // A reset may overtake its bytes, on each loop.
      let isReset = end == .reset || end == .bytesAndReset
      try await events.wait(for: isAllowed && !isReset ? "event inputClosed" : "removed")
      try? await child.withLock { $0 }?.close()
      try? await channel.close()
      try await events.wait(for: "removed")
      try await listener.close()
      return events.all.filter { end != .bytesAndReset || !$0.hasPrefix("read") }
    }
    try await compare(site, program)
  }

  @Test("After a read that was the last one asked for", arguments: Site.oursAndSimulation, [true, false])
  func afterReading(site: Site, isAllowed: Bool) async throws {
    let program: @Sendable (Channels) async throws -> [String] = { channels in
      let events = Events()
      let child = Mutex<(any Channel)?>(nil)
      let listener = try await channels.listen(Channels.Options(halfClosure: isAllowed)) { channel in
        child.withLock { $0 = channel }
        try channel.pipeline.syncOperations.addHandler(
          Noting(events) { event, context in
            if event == "read 5" { try? context.channel.syncOptions?.setOption(.autoRead, value: false) }
          })
      }
      let channel = try await channels.connect(listener.localAddress!, Channels.Options(halfClosure: true))
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      try await events.wait(for: "read 5")
      try await channel.close(mode: .output)
      try await events.wait(for: isAllowed ? "event inputClosed" : "removed")
      try? await child.withLock { $0 }?.close()
      try await events.wait(for: "removed")
      try? await channel.close()
      try await listener.close()
      return events.all
    }
    try await compare(site, program)
  }
}
