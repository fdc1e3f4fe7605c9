import Glibc
import NIOCore
import Testing

/// The same program on NIO's channels over pipes and on ours.
@Suite("Pipes are told as NIO tells them", .timeLimit(.minutes(2)))
struct PipeTests {
  @Test("There and back through two pipes, and the end", arguments: Site.ours)
  func echo(site: Site) async throws {
    try await compare(site) { channels in
      let (server, client) = (Events(), Events())
      let (there, back) = (try Pipe(), try Pipe())
      let answering = try await channels.pipes(there.reading, back.writing) { channel in
        try channel.pipeline.syncOperations.addHandlers(Noting(server), Echo())
      }
      let asking = try await channels.pipes(back.reading, there.writing) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(client))
      }
      try await channels.onLoop(asking) { client.watch("write", asking.written("hello")) }
      try await client.wait(for: "read 5")
      try await channels.onLoop(asking) { client.watch("close", asking.closed()) }
      try await client.wait(for: "removed")
      try await server.wait(for: "removed")
      return server.all + ["client"] + client.all
        + ["\(answering.isActive)", "\(answering.localAddress == nil)"]
    }
  }

  @Test("Half a close, from each side", arguments: Site.ours, [true, false])
  func halfClose(site: Site, isAllowed: Bool) async throws {
    try await compare(site) { channels in
      let (server, client) = (Events(), Events())
      let (there, back) = (try Pipe(), try Pipe())
      _ = try await channels.pipes(there.reading, back.writing, halfClosure: isAllowed) { channel in
        try channel.pipeline.syncOperations.addHandler(
          Noting(server) { name, context in
            guard name == "event inputClosed" else { return }
            server.watch("answer", context.channel.written("late"))
            server.watch("close", context.channel.closed())
          })
      }
      let asking = try await channels.pipes(back.reading, there.writing, halfClosure: isAllowed) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(client))
      }
      try await channels.onLoop(asking) {
        client.watch("write", asking.written("hello"))
        client.watch("output", asking.closed(.output))
      }
      try await server.wait(for: "removed")
      try await client.wait(for: "removed")
      try await channels.onLoop(asking) { client.watch("late", asking.closed()) }
      return server.all + ["client"] + client.all
    }
  }

  @Test("A channel that only reads, and one that only writes", arguments: Site.ours)
  func oneEnd(site: Site) async throws {
    try await compare(site) { channels in
      let (reader, writer) = (Events(), Events())
      let pipe = try Pipe()
      let reading = try await channels.pipes(pipe.reading, nil) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(reader))
      }
      let writing = try await channels.pipes(nil, pipe.writing) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(writer))
      }
      try await channels.onLoop(reading) { reader.watch("write", reading.written("x")) }
      try await channels.onLoop(writing) { writer.watch("write", writing.written("hello")) }
      try await reader.wait(for: "read 5")
      try await channels.onLoop(writing) { writer.watch("close", writing.closed()) }
      try await writer.wait(for: "removed")
      try await reader.wait(for: "removed")
      return reader.all + ["writer"] + writer.all
    }
  }

  @Test("A writer is told that its reader has gone", arguments: Site.ours)
  func readerGone(site: Site) async throws {
    try await compare(site) { channels in
      let events = Events()
      let pipe = try Pipe()
      let writing = try await channels.pipes(nil, pipe.writing) { channel in
        try channel.pipeline.syncOperations.addHandler(Noting(events))
      }
      try await channels.onLoop(writing) {
        let early: EventLoopFuture<Void> = writing.write(ByteBuffer(string: "never flushed"))
        events.watch("early", early)
      }
      close(pipe.reading)
      try await events.wait(for: "removed")
      return events.all
    }
  }

  @Test("A write after the reader has gone", arguments: Site.ours)
  func brokenPipe(site: Site) async throws {
    try await site.run { channels in
      let (there, back) = (try Pipe(), try Pipe())
      let channel = try await channels.pipes(there.reading, back.writing)
      close(back.reading)
      // A process that was started before the ends were marked may have the reader's for a moment.
      await #expect { while true { try await channel.writeAndFlush(ByteBuffer(string: "hello")) } } throws: {
        ($0 as? NIOCore.IOError)?.errnoCode == EPIPE
      }
      try await channel.closeFuture.get()
      close(there.writing)
    }
  }

  @Test("A megabyte in many writes and in a file arrives whole", arguments: Site.real)
  func bulk(site: Site) async throws {
    try await site.run { channels in
      let (sink, events) = (Sink(), Events())
      let pipe = try Pipe()
      let reading = try await channels.pipes(pipe.reading, nil) { channel in
        try channel.pipeline.syncOperations.addHandler(sink)
      }
      let writing = try await channels.pipes(nil, pipe.writing)
      let sizes = [1, 0, 100, 70_000, 3, 200_000, 300_000]
      try await channels.onLoop(writing) {
        var next = 0
        for (index, size) in sizes.enumerated() {
          let write: EventLoopFuture<Void> = writing.write(
            ByteBuffer(bytes: Numbered.bytes(from: next, size)))
          events.watch("\(index)", write)
          next += size
        }
        writing.flush()
      }
      try await sink.wait(for: sizes.reduce(0, +))
      try await events.wait(for: "\(sizes.count - 1) succeeded")
      #expect(sink.isInOrder && events.all == sizes.indices.map { "\($0) succeeded" })
      try await writing.close()
      try await reading.closeFuture.get()
    }
  }

  @Test("Numbers that are not pipes stay the caller's", arguments: Site.ours)
  func refused(site: Site) async throws {
    try await site.run { channels in
      let (pipe, file) = (try Pipe(), try TemporaryFile(10))
      let number = try file.handle.withUnsafeFileDescriptor { $0 }
      for (input, output) in [(pipe.reading, number), (number, pipe.writing), (pipe.writing, pipe.reading), (-1, 5000)]
      {
        await #expect(throws: (any Error).self) { _ = try await channels.pipes(input, output) }
      }
      await #expect(throws: (any Error).self) { _ = try await channels.pipes(pipe.reading, pipe.reading) }
      #expect(pipe.isOpen && fcntl(number, F_GETFD) >= 0)
      #expect(fcntl(pipe.reading, F_GETFL) & O_NONBLOCK == 0, "the mode is as it was")
      let reading = try await channels.pipes(pipe.reading, nil)
      try await reading.close()
      close(pipe.writing)
    }
  }
}
