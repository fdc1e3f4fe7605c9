import AsyncIOSimulation
import NIOCore
import Testing

/// When a promise of a write is kept, the peer can read the bytes. It is a socket of the system without a loop, so
/// nothing happens between the promise and the look at it.
@Suite("A promise is kept when the bytes are with the system", .timeLimit(.minutes(2)))
struct ExactPromiseTests {
  /// What a program does in one turn of the loop, with a channel and its peer.
  struct Deeds: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let body: @Sendable (Writer) throws -> Void

    init(_ name: String, _ body: @escaping @Sendable (Writer) throws -> Void) {
      (testDescription, self.body) = (name, body)
    }
  }

  static let deeds = [
    Deeds("one write") { $0.write(100, promised: true) },
    Deeds("behind one without a promise") { writer in
      writer.write(100)
      writer.write(100, promised: true)
    },
    Deeds("behind many") { writer in
      for size in [100, 3_000, 4_000, 30_000, 1] { writer.write(size) }
      writer.write(100, promised: true)
    },
    Deeds("a write of nothing") { writer in
      writer.write(100)
      writer.write(0, promised: true)
    },
    Deeds("in one flush with one of nothing") { writer in
      writer.write(100, flush: false)
      writer.write(0, promised: true)
    },
    Deeds("before the flush of another") { writer in
      writer.write(100)
      writer.write(100, promised: true, flush: false)
      writer.note("not flushed")
      writer.write(100)
    },
    Deeds("and the channel closes") { writer in
      writer.write(100)
      writer.write(100, promised: true)
      writer.close()
    },
    Deeds("the end of the output") { writer in
      writer.write(100)
      writer.endOutput()
    },
    Deeds("a file") { writer in
      writer.write(100)
      try writer.write(file: 50_000)
      writer.write(100, promised: true)
    },
  ]

  @Test("In the turn of the write, as on NIO", arguments: deeds)
  func inTheTurn(deeds: Deeds) async throws {
    try await compare { channels in
      let peer = try RawPeer()
      let events = Events()
      let channel = try await channels.connect(peer.address) {
        try $0.pipeline.syncOperations.addHandler(Noting(events))
      }
      peer.accept()
      try await channels.onLoop(channel) {
        events.note("-- the turn")
        try deeds.body(Writer(channel, peer, events))
        events.note("-- its end")
      }
      try await channels.onLoop(channel) { peer.readAll() }
      if channel.isActive { try await channel.close() }
      try await events.wait(for: "removed")
      // The rest may come with the loop's next wait.
      await peer.readToEnd()
      events.note("\(peer.count) bytes")
      return events.all
    }
  }

  /// A peer that reads now and then: whatever is kept is there, and the close of a channel fails the rest.
  @Test("Always, whatever the peer does", arguments: Site.real)
  func always(site: Site) async throws {
    try await site.run { channels in
      for seed in 0..<60 as Range<UInt64> {
        let peer = try RawPeer()
        let events = Events()
        let channel = try await channels.connect(peer.address)
        peer.accept()
        var random = SimulationRandom(seed: seed)
        let wrong = Watched<[String]>([])
        let writer = Writer(channel, peer, events) {
          if !$0 { wrong.change { $0.append("a promise of seed \(seed)") } }
        }
        for _ in 0..<20 {
          let choices = (0..<6).map { _ in Int.random(in: 0..<12, using: &random) }
          try await channels.onLoop(channel) {
            for choice in choices {
              switch choice {
              case 0, 1, 2: writer.write(choice * 1_500)
              case 3: writer.write(40_000)
              case 4: writer.write(0, promised: true)
              case 5, 6: writer.write(choice * 100, promised: true)
              case 7: writer.write(100_000, promised: true)
              case 8: writer.write(200, promised: true, flush: false)
              case 9: peer.read(20_000)
              case 10: peer.readAll()
              default: channel.flush()
              }
            }
          }
        }
        try await channels.onLoop(channel) { channel.close(promise: nil) }
        try await channel.closeFuture.get()
        await peer.readToEnd()
        #expect(wrong.value == [], "\(site)")
        #expect(peer.isInOrder, "seed \(seed)")
      }
    }
  }

  @Test("Behind a send that ends in the poll in which the write is made", arguments: Site.real)
  func inOnePoll(site: Site) async throws {
    try await site.run { channels in
      let (peer, other) = (try RawPeer(), try RawPeer())
      let wrong = Watched(0)
      let events = Events()
      let channel = try await channels.connect(peer.address)
      peer.accept()
      let writer = Writer(channel, peer, events) { if !$0 { wrong.change { $0 += 1 } } }
      let asking = try await channels.connect(other.address) { channel in
        try channel.pipeline.syncOperations.addHandler(
          Noting(events) { event, _ in
            guard event.hasPrefix("read") else { return }
            writer.write(100, promised: true)
            channel.close(promise: nil)
          })
      }
      other.accept()
      // Until the system has no room, and takes no more in a turn.
      var count = -1
      while peer.count != count {
        count = peer.count
        try await channels.onLoop(channel) { writer.write(4_000) }
        try await channels.onLoop(channel) {}
      }
      try await channels.onLoop(channel) {
        writer.write(10)
        other.send(1)
        peer.readAll()
      }
      try await asking.closeFuture.get()
      try await channels.onLoop(channel) { peer.readAll() }
      try await channel.close()
      await peer.readToEnd()
      #expect(wrong.value == 0)
      #expect(peer.isInOrder)
    }
  }
}

/// Writes bytes that are numbered by their position, and looks whether they are there when a promise is kept. In the
/// thread of the channel's loop.
final class Writer: @unchecked Sendable {
  // Right because only the thread of the loop uses it.
  private let channel: any Channel
  private let peer: RawPeer
  private let events: Events
  private let check: @Sendable (Bool) -> Void
  private var position = 0

  init(_ channel: any Channel, _ peer: RawPeer, _ events: Events, check: @escaping @Sendable (Bool) -> Void = { _ in })
  {
    (self.channel, self.peer, self.events, self.check) = (channel, peer, events, check)
  }

  func note(_ event: String) { events.note(event) }

  func write(_ size: Int, promised: Bool = false, flush: Bool = true) {
    let buffer = ByteBuffer(bytes: Numbered.bytes(from: position, size))
    position += size
    let promise = promised ? makePromise() : nil
    channel.pipeline.syncOperations.write(NIOAny(buffer), promise: promise)
    if flush { channel.flush() }
  }

  func write(file size: Int) throws {
    let file = try TemporaryFile(size)
    position += size
    channel.pipeline.syncOperations.write(
      NIOAny(FileRegion(fileHandle: file.handle, readerIndex: 0, endIndex: size)), promise: makePromise())
    channel.flush()
    withExtendedLifetime(file) {}
  }

  private func makePromise() -> EventLoopPromise<Void> {
    let promise = channel.eventLoop.makePromise(of: Void.self)
    let end = position
    promise.futureResult.whenComplete { result in
      guard case .success = result else { return self.note("to \(end): failed") }
      self.check(self.peer.count >= end)
      self.note("to \(end): \(self.peer.count) are there")
    }
    return promise
  }

  func endOutput() {
    channel.close(mode: .output).whenComplete { _ in
      self.peer.readAll()
      self.note("the end, after \(self.peer.count): \(self.peer.hasEnded)")
    }
  }

  func close() { channel.close(promise: nil) }
}
