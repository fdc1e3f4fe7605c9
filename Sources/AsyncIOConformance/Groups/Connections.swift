internal import AsyncIO

extension ConformanceSuite {
  /// Group G, connecting.
  static let connectionChecks: [ConformanceCheck] = [
    ConformanceCheck(
      76, "A connect returns after its protocol was made; data and the end come later", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
          StreamProbe { $0.onMade = { try $0.write("hello") } }
        }
        let trail = Trail()
        let port = try subject.port(of: server)
        let (_, probe) = try await loop.createConnection(host: "127.0.0.1", port: port) { StreamProbe(trail) }
        trail.mark("returned")
        try await subject.turn("data") { probe.received.count == 5 }
        server.closeClients()
        try await subject.turn("lost") { probe.isLost }
        server.close()
        try subject.expect("order", trail, "made returned data end lost")
      }
    },
    ConformanceCheck(
      76, "So does one on a loop with callbacks in every turn", facet: "busy",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let isBusy = Box(true)
        @Sendable func next() throws { if isBusy.value { try loop.callSoon { try next() } } }
        try next()
        defer { isBusy.value = false }
        var early = 0
        for _ in 0..<20 {
          let sockets = try subject.socketPair()
          sockets.write(5, to: sockets.far)
          let (transport, probe) = try await loop.createConnection(socket: sockets.near) {
            StreamProbe { $0.onMade = { _ in try loop.callSoon {} } }
          }
          sockets.release(sockets.near)
          early += probe.received.count
          try await subject.turn("data") { probe.received.count == 5 }
          transport.abort()
        }
        try subject.expect("bytes before the return", early, 0)
      }
    },
    ConformanceCheck(
      76, "A descriptor that is given to a call which throws stays the caller's: open, and in its mode",
      facet: "given", capabilities: [.streamSockets, .systemDescriptors, .pipes]
    ) { subject in
      try subject.run { loop in
        for (way, give) in Self.waysToGive {
          for (name, error) in [("NoProtocol()", NoProtocol()), ("cancelled", nil)] as [(String, NoProtocol?)] {
            let sockets = try subject.socketPair()
            try setBlocking(sockets.near)
            let giving = try loop.createTask {
              if error == nil { currentTask()?.cancel() }
              try await give(loop, sockets.near) {
                if let error { throw error }
                return StreamProbe()
              }
            }
            try subject.expect(way, await outcome { try await giving.get() }, name)
            try subject.expect("open and blocking", isBlocking(sockets.near))
          }
        }
      }
    },
    ConformanceCheck(
      76, "What the factory throws, createConnection throws", facet: "factory", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let server = try await loop.createServer(host: "127.0.0.1", port: 0) { StreamProbe() }
        let port = try subject.port(of: server)
        do {
          _ = try await loop.createConnection(host: "127.0.0.1", port: port) { () throws -> StreamProbe in
            throw NoProtocol()
          }
          try subject.fail("the factory's error was lost")
        } catch is NoProtocol {}
        server.close()
        try await server.waitClosed()
      }
    },
    ConformanceCheck(
      77, "A connect that is cancelled calls nobody", facet: "connecting", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        // A backlog of one fills at once; later clients wait for the system.
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, backlog: 1)
        let trail = Trail()
        let port = listener.port
        var tasks: [LoopTask<Void>] = []
        for _ in 0..<8 {
          tasks.append(
            try loop.createTask {
              let (transport, _) = try await loop.createConnection(host: "127.0.0.1", port: port) {
                StreamProbe(trail)
              }
              transport.abort()
            })
        }
        try await subject.turn("some connect") { tasks.contains { $0.isDone } }
        try await sleep(for: .milliseconds(20))
        let waiting = tasks.filter { !$0.isDone }
        for task in waiting { task.cancel() }
        for task in tasks { _ = try? await task.get() }
        listener.close()
        try subject.require(!waiting.isEmpty, "every connect succeeded, none was there to be cancelled")
        try subject.expect("all of them cancelled", waiting.allSatisfy(\.isCancelled))
        try subject.expect("made", trail.marks.count { $0 == "made" }, tasks.count - waiting.count)
      }
    },
    ConformanceCheck(
      77, "A connect that is cancelled after the connection was made closes it", facet: "made",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let sockets = try subject.socketPair()
        let trail = Trail()
        let box = Box<LoopTask<Void>?>(nil)
        let task = try loop.createTask {
          _ = try await loop.connectAcceptedSocket(sockets.near) {
            StreamProbe(trail) { $0.onMade = { _ in _ = box.value?.cancel() } }
          }
        }
        box.value = task
        sockets.release(sockets.near)
        do {
          try await task.get()
          try subject.fail("the cancellation was lost")
        } catch is CancellationError {}
        try await subject.turn("the peer sees the end") { sockets.isAtEnd(sockets.far) }
        try subject.expect("calls", trail, "made lost")
      }
    },
    ConformanceCheck(
      81, "Arguments that clash are refused in the documented order",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        func refusal(_ name: String, _ argument: String, _ body: () async throws -> Void) async throws {
          do {
            try await body()
            try subject.fail("\(name): accepted")
          } catch let error as EventLoopError {
            try subject.expect(name, "\(error.code)", "invalidArgument")
            try subject.require(error.description.contains(argument), "\(name): \(error)")
          }
        }
        try await refusal("delay and interleave", "happyEyeballsDelay") {
          _ = try await loop.createConnection(
            host: "127.0.0.1", port: 1, happyEyeballsDelay: .seconds(-1), interleave: 0
          ) { StreamProbe() }
        }
        try await refusal("interleave", "interleave") {
          _ = try await loop.createConnection(host: "127.0.0.1", port: 1, interleave: 0) { StreamProbe() }
        }
        try await refusal("hosts and backlog", "hosts") {
          _ = try await loop.createServer(hosts: [], port: 0, backlog: 0) { StreamProbe() }
        }
        try await refusal("backlog", "backlog") {
          _ = try await loop.createServer(port: 0, backlog: 0) { StreamProbe() }
        }
        try await refusal("a file that is not a socket", "is not a socket") {
          _ = try await loop.createConnection(socket: 1) { StreamProbe() }
        }
        try await refusal("a path that is too long", "unixPath") {
          _ = try await loop.createUnixConnection(path: String(repeating: "x", count: 200)) { StreamProbe() }
        }
      }
    },
  ]

  private struct NoProtocol: Error {}

  private typealias Giving =
    @Sendable (any EventLoop, Int32, @Sendable () throws -> StreamProbe) async throws -> Void

  /// The calls that take an existing descriptor.
  private static let waysToGive: [(String, Giving)] = [
    ("createConnection", { _ = try await $0.createConnection(socket: $1, $2) }),
    ("connectAcceptedSocket", { _ = try await $0.connectAcceptedSocket($1, $2) }),
    ("connectReadPipe", { _ = try await $0.connectReadPipe($1, $2) }),
    ("connectWritePipe", { _ = try await $0.connectWritePipe($1, $2) }),
  ]
}
