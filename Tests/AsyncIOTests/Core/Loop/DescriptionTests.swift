import Testing

@testable import AsyncIO
@testable import AsyncIOSimulation

/// What `print` says of the objects of this package: which one it is.
@Suite(.timeLimit(.minutes(5)))
struct DescriptionTests {
  private struct Broken: Error {}

  @Test("Tasks and futures have their names and their states", arguments: LoopKind.allCases)
  func futures(kind: LoopKind) async throws {
    try await kind.run { loop in
      let future: Future<Int> = loop.createFuture()
      #expect("\(future)" == "Future<Int> (pending)")
      let task = try loop.createTask(name: "worker") { try await future.get() }
      #expect("\(task)" == "worker (pending)")
      task.cancel()
      #expect("\(task)" == "worker (cancelling)")
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect("\(task)" == "worker (cancelled)" && "\(future)" == "Future<Int> (pending)")
      try future.setResult(7)
      #expect("\(future)" == "Future<Int> (done)")
      let failing = try loop.createTask { throw Broken() }
      await #expect(throws: Broken.self) { try await failing.get() }
      #expect("\(failing)" == "\(failing.taskName) (failed)" && failing.taskName.hasPrefix("Task-"))
      loop.isDebug = true
      let (placed, line) = (loop.createFuture() as Future<Void>, #line)
      #expect("\(placed)" == "Future<()> (pending), made at AsyncIOTests/DescriptionTests.swift:\(line)")
    }
  }

  @Test("A future that holds a long chain, or itself, prints as any other")
  func deepValues() async throws {
    final class Link: Sendable {
      let next: Lock<Future<Link>?> = Lock(nil)
    }
    try await LoopKind.allCases[0].run { loop in
      let link = Link()
      let future: Future<Link> = loop.createFuture()
      link.next.withLock { $0 = future }
      try future.setResult(link)
      #expect("\(future)" == "Future<Link> (done)")
      link.next.withLock { $0 = nil }
    }
  }

  @Test("Loops have a number, their mechanism and their state", arguments: LoopKind.allCases)
  func loops(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let other = try kind.makeLoop()
      #expect("\(loop)".hasPrefix("\(type(of: loop)) \(loop.number) (\(loop.backendName), "))
      #expect("\(loop)".hasSuffix("idle)") && "\(other)" != "\(loop)")
      try loop.run {
        #expect("\(loop)".hasSuffix("running)"))
        TestThread { #expect("\(loop)".hasSuffix("running)")) }.join()
      }
      try other.close()
      #expect("\(other)".hasSuffix("closed)"))
    }
  }

  @Test("Handles have their time, their state and, in debug mode, their place", arguments: LoopKind.allCases)
  func handles(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      #expect("\(try loop.callSoon {})" == "Handle (pending)")
      loop.isDebug = true
      let place = "made at AsyncIOTests/DescriptionTests.swift:"
      let states = Recorder<String>()
      let handles = Recorder<Handle>()
      let (handle, line) = (try loop.callSoon { states.record("\(handles.all[0])") }, #line)
      handles.record(handle)
      #expect("\(handle)" == "Handle (pending), \(place)\(line)")
      let timer = try loop.callLater(.seconds(3600)) {}
      #expect("\(timer)".hasPrefix("TimerHandle at \(timer.when) (pending), \(place)"))
      timer.cancel()
      #expect("\(timer)".contains("(cancelled)"))
      loop.stop()
      try loop.runForever()
      #expect(states.all == ["Handle (running), \(place)\(line)"] && "\(handle)".contains("(finished)"))
    }
  }

  @Test("What has sockets has their addresses, from every thread; what is closed says so", arguments: LoopKind.allCases)
  func sockets(kind: LoopKind) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let pair = try await StreamPair.make(on: listener)
      let number = pair.near.descriptor.fileDescriptor
      let (near, far) = (try #require(pair.near.localAddress), try #require(pair.near.peerAddress))
      let names = "StreamConnection \(near) to \(far) (descriptor \(number))"
      #expect("\(pair.near)" == names)
      #expect("\(pair.far)".hasPrefix("StreamConnection \(far) to \(near) (descriptor "))
      #expect(try await inThread { "\(pair.near)" } == names)
      #expect("\(listener)".hasPrefix("StreamListener 127.0.0.1:\(listener.port) (descriptor "))
      let socket = try Socket(family: .ipv4)
      #expect("\(socket)" == "Socket 0.0.0.0:0 (descriptor \(socket.fileDescriptor))")
      try await socket.connect(to: listener.addresses[0])
      #expect("\(socket)".contains(" to 127.0.0.1:\(listener.port) (descriptor "))
      let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
      let address = try #require(endpoint.localAddress)
      #expect("\(endpoint)".hasPrefix("DatagramEndpoint \(address) (descriptor "))
      let talking = try await DatagramEndpoint.connect(to: address)
      #expect("\(talking)".contains(" to \(address) (descriptor "))
      let pipe = try PipePair.make()
      #expect("\(pipe.reader)" == "PipeReader (descriptor \(pipe.reader.end.descriptor.fileDescriptor))")
      #expect("\(pipe.writer)" == "PipeWriter (descriptor \(pipe.writer.end.descriptor.fileDescriptor))")
      let server = try await loop.createServer(host: "127.0.0.1", port: 0) { ScriptedProtocol() }
      #expect("\(server)".hasPrefix("Server \(server.addresses[0]) (descriptor "))
      let port = listener.port
      for close in [pair.close, listener.close, socket.close, endpoint.close, talking.close, pipe.close, server.close] {
        close()
      }
      let closed: [any CustomStringConvertible] = [
        pair.near, pair.far, listener, socket, endpoint, talking, pipe.reader, pipe.writer, server,
      ]
      #expect(closed.map(\.description).allSatisfy { $0.hasSuffix("(closed)") })
      #expect("\(listener)" == "StreamListener 127.0.0.1:\(port) (closed)")
    }
  }

  @Test("What a closed loop had prints as closed", arguments: LoopKind.allCases)
  func closedLoop(kind: LoopKind) async throws {
    let connection = Recorder<StreamConnection>()
    let loop = try kind.makeLoop()
    try await loop.run {
      let pair = try await StreamPair.make()
      connection.record(pair.near)
      pair.far.close()
    }
    #expect("\(connection.all[0])".hasPrefix("StreamConnection 127.0.0.1:"))
    connection.all[0].close()
    try loop.close()
    #expect("\(connection.all[0])" == "StreamConnection (closed)")
  }

  @Test("A connection that went to another loop says so", arguments: LoopKind.allCases)
  func moved(kind: LoopKind) async throws {
    try await kind.withPair { near, _ in
      let there = try await near.move(to: near.loop)
      #expect("\(near)" == "StreamConnection (moved to another loop)" && "\(there)".contains(" to 127.0.0.1:"))
      there.close()
    }
  }

  @Test("A child has its number and how it ended", arguments: LoopKind.allCases)
  func child(kind: LoopKind) async throws {
    try await kind.run { _ in
      let child = try await ChildProcess.spawn("cat", standardInput: .pipe)
      #expect("\(child)" == "ChildProcess \(child.processIdentifier) (running)")
      child.standardInput?.close()
      try await child.wait()
      #expect("\(child)" == "ChildProcess \(child.processIdentifier) (exited with status 0)")
    }
  }

  @Test("In a simulation there are the world's addresses, and for other threads none")
  func simulated() async throws {
    let outcome = await playOne { world in
      let server = world.host("server")
      server.start("echo") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        try await listener.serve { connection in
          try world.require("\(connection)".contains(":7 to "), "\(connection)")
          try await connection.forEachChunk { try await connection.write($0) }
        }
      }
      try await world.host("client").run {
        // When the other host listens.
        try await sleep(for: .seconds(1))
        let connection = try await StreamConnection.connect(host: "server", port: 7)
        try world.require("\(connection)".contains(":7 (descriptor "), "\(connection)")
        let elsewhere = Recorder<String>()
        TestThread { elsewhere.record("\(connection)") }.join()
        let number = connection.descriptor.fileDescriptor
        try world.require(elsewhere.all == ["StreamConnection (descriptor \(number))"], "\(elsewhere.all)")
        connection.close()
        try world.require("\(connection)" == "StreamConnection (closed)", "\(connection)")
      }
    }
    #expect(outcome.failure == nil)
  }
}
