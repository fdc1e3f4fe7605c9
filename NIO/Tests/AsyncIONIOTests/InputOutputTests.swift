import AsyncIONIO
import Glibc
import NIOCore
import NIOPosix
import Testing

/// One descriptor to read from and to write to: the same program on NIO's channels over pipes and on ours.
@Suite("One descriptor for both directions", .timeLimit(.minutes(2)))
struct InputOutputTests {
  /// Both sides of a terminal; what is written to one is read from the other as it is.
  private static func terminal() throws -> (RawSocket, RawSocket) {
    let main = try RawSocket(open("/dev/ptmx", O_RDWR | O_NOCTTY))
    // TIOCSPTLCK and TIOCGPTN, which the C library's module does not have.
    var (isLocked, index): (CInt, CInt) = (0, 0)
    try #require(ioctl(main.number, 0x4004_5431, &isLocked) == 0 && ioctl(main.number, 0x8004_5430, &index) == 0)
    let line = try RawSocket(open("/dev/pts/\(index)", O_RDWR | O_NOCTTY))
    var mode = termios()
    #expect(tcgetattr(line.number, &mode) == 0)
    cfmakeraw(&mode)
    #expect(tcsetattr(line.number, TCSANOW, &mode) == 0)
    return (main, line)
  }

  @Test("A terminal and a socket, there and back, and the end", arguments: [true, false])
  func thereAndBack(isTerminal: Bool) async throws {
    try await compare { channels in
      let events = Events()
      let (mine, theirs) = isTerminal ? try Self.terminal() : try RawSocket.pair()
      let channel = try await channels.take(both: mine.number) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      let heard = theirs.read()
      theirs.write("answer")
      try await events.wait(for: "read 6")
      try await channels.onLoop(channel) { events.watch("close", channel.closed()) }
      try await events.wait(for: "removed")
      let isOver = theirs.read() == nil
      theirs.close()
      return events.all + [heard ?? "nothing", "\(isOver) \(mine.isOpen) \(channel.localAddress == nil)"]
    }
  }

  @Test("The other side goes")
  func end() async throws {
    try await compare { channels in
      let events = Events()
      let (mine, theirs) = try RawSocket.pair()
      _ = try await channels.take(both: mine.number) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      theirs.write("last")
      theirs.close()
      try await events.wait(for: "removed")
      return events.all + ["\(mine.isOpen)"]
    }
  }

  @Test("Half a close, and then the rest", arguments: [true, false])
  func halfClose(isTerminal: Bool) async throws {
    try await compare { channels in
      let events = Events()
      let (mine, theirs) = isTerminal ? try Self.terminal() : try RawSocket.pair()
      let channel = try await channels.take(both: mine.number, halfClosure: true) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      try await channels.onLoop(channel) {
        events.watch("write", channel.written("hello"))
        events.watch("output", channel.closed(.output))
      }
      try await events.wait(for: "output succeeded")
      let heard = theirs.read()
      // The descriptor is open for the other direction.
      theirs.write("answer")
      try await events.wait(for: "read 6")
      try await channels.onLoop(channel) { events.watch("late", channel.written("x")) }
      try await channels.onLoop(channel) { events.watch("close", channel.closed()) }
      try await events.wait(for: "removed")
      theirs.close()
      return events.all + [heard ?? "nothing", "\(mine.isOpen)"]
    }
  }

  /// A FIFO that is open in both directions is its own reader: nothing of it may be taken for the end of one.
  @Test("A FIFO that talks to itself")
  func fifo() async throws {
    try await compare { channels in
      let events = Events()
      let path = "/tmp/asyncio-nio-fifo-\(channels.site)-\(UInt32.random(in: 0...UInt32.max))"
      #expect(mkfifo(path, 0o600) == 0)
      defer { unlink(path) }
      let number = open(path, O_RDWR)
      let channel = try await channels.take(both: number, halfClosure: true) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      try await channels.onLoop(channel) { events.watch("write", channel.written("hello")) }
      try await events.wait(for: "read 5")
      try await channels.onLoop(channel) { events.watch("close", channel.closed()) }
      try await events.wait(for: "removed")
      return events.all
    }
  }

  @Test("An initializer that fails closes the channel, and not what was refused", arguments: Site.ours)
  func failing(site: Site) async throws {
    try await site.run { channels in
      let (mine, theirs) = try RawSocket.pair()
      await #expect(throws: Deed.Trouble.self) {
        _ = try await channels.take(both: mine.number) { _ in throw Deed.Trouble() }
      }
      #expect(!mine.isOpen && theirs.read() == nil)
      theirs.close()
      let pipe = try Pipe()
      let file = try TemporaryFile(10)
      let number = try file.handle.withUnsafeFileDescriptor { $0 }
      for wrong in [pipe.reading, pipe.writing, number] {
        let before = fcntl(wrong, F_GETFL)
        await #expect(throws: (any Error).self) { _ = try await channels.take(both: wrong) }
        #expect(fcntl(wrong, F_GETFL) == before)
      }
      #expect(pipe.isOpen)
      close(pipe.reading)
      // The number that was made for the output is closed as well: the pipe has no writer any more.
      close(pipe.writing)
    }
  }

  @Test("As an output", arguments: Site.real)
  func output(site: Site) async throws {
    try await site.run { channels in
      let (mine, theirs) = try RawSocket.pair()
      let channel =
        site == .nio
        ? try await NIOPipeBootstrap(group: channels.group)
          .takingOwnershipOfDescriptor(inputOutput: mine.number, channelInitializer: AsyncChannelTests.wrap)
        : try await AsyncIOPipeBootstrap(group: channels.group)
          .takingOwnershipOfDescriptor(inputOutput: mine.number, channelInitializer: AsyncChannelTests.wrap)
      try await channel.executeThenClose { input, output in
        try await output.write(ByteBuffer(string: "hello"))
        #expect(theirs.read() == "hello")
        theirs.close()
        for try await _ in input { Issue.record("something came") }
      }
      #expect(!mine.isOpen)
    }
  }
}
