internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group G, servers.
  static let serverChecks: [ConformanceCheck] = serverLifeChecks + serverWaitChecks + serverTroubleChecks

  private static let serverLifeChecks: [ConformanceCheck] = [
    ConformanceCheck(
      82, "A host that is named twice is one socket, and port 0 is reported as it is", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let server = try await loop.createServer(hosts: ["127.0.0.1", "127.0.0.1"], port: 0) { StreamProbe() }
        try subject.expect("addresses", server.addresses.count, 1)
        try subject.expect("sockets", server.sockets.count, 1)
        try subject.expect("a port was chosen", try subject.port(of: server) != 0)
        server.close()
        try subject.expect("sockets of a closed server", server.sockets.count, 0)
      }
    },
    ConformanceCheck(
      83, "A server that is to wait refuses clients until it is started; once closed it cannot be started",
      capabilities: .streamSockets, deviation: "CPython fails with an unrelated TypeError when it was closed."
    ) { subject in
      try subject.run { loop in
        let server = try await loop.createServer(host: "127.0.0.1", port: 0, startServing: false) { StreamProbe() }
        let port = try subject.port(of: server)
        try subject.expect("serving before", server.isServing, false)
        do {
          _ = try await loop.createConnection(host: "127.0.0.1", port: port) { StreamProbe() }
          try subject.fail("a client was taken before the start")
        } catch let error as IOError {
          try subject.expect("before", error.errno == .connectionRefused)
        }
        try await server.startServing()
        try await server.startServing()
        try subject.expect("serving", server.isServing, true)
        let (transport, _) = try await loop.createConnection(host: "127.0.0.1", port: port) { StreamProbe() }
        transport.close()
        server.close()
        server.close()
        try subject.expect("serving after", server.isServing, false)
        try await subject.expectRefusal("a start after the close", .invalidState) { try await server.startServing() }
      }
    },
    ConformanceCheck(
      84, "A closed server refuses new clients, and those it has go on", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.probedConnection(loop)
        let port = try subject.port(of: connection.server)
        connection.server.close()
        do {
          _ = try await loop.createConnection(host: "127.0.0.1", port: port) { StreamProbe() }
          try subject.fail("a closed server took a client")
        } catch let error as IOError {
          try subject.expect("new", error.errno == .connectionRefused)
        }
        try connection.client.transport?.write("ping")
        try await subject.turn("ping") { connection.served.received == Array("ping".utf8) }
        try connection.served.transport?.write("pong")
        try await subject.turn("pong") { connection.client.received == Array("pong".utf8) }
        connection.client.transport?.close()
        try await connection.server.waitClosed()
      }
    },
    ConformanceCheck(
      84, "A caller's listening socket that others share goes on for them when its server is closed", facet: "shared",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let listener = try SharedListener(subject)
        let served = Trail()
        let other = try await loop.createServer(socket: try listener.share()) { StreamProbe(served) }
        for starts in [true, false] {
          let closed = try await loop.createServer(socket: try listener.share(), startServing: starts) { StreamProbe() }
          closed.close()
          try await closed.waitClosed()
          try await letTurn()
        }
        let (_, client) = try await loop.createConnection(host: "127.0.0.1", port: listener.port) { StreamProbe() }
        try await subject.turn("the client is served") { served.text == "made" }
        client.transport?.close()
        try await subject.turn("its end") { served.marks.last == "lost" }
        try subject.expect("served", served, "made end lost")
        other.close()
      }
    },
  ]

  private static let serverWaitChecks: [ConformanceCheck] = [
    ConformanceCheck(
      85, "waitClosed waits for the close and for the last client", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.probedConnection(loop)
        let server = connection.server
        let trail = Trail()
        let waiting = try loop.createTask {
          try await server.waitClosed()
          trail.mark("closed")
        }
        for _ in 0..<3 { try await sleep(for: .zero) }
        trail.mark("open")
        server.close()
        for _ in 0..<3 { try await sleep(for: .zero) }
        trail.mark("client")
        connection.client.transport?.close()
        try await waiting.get()
        try subject.expect("order", trail, "open client closed")
        try await server.waitClosed()
        trail.mark("again")
        try subject.expect("a second wait", trail, "open client closed again")
      }
    },
    ConformanceCheck(
      86, "closeClients sends what waits", facet: "close", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.probedConnection(loop)
        connection.client.transport?.pauseReading()
        try connection.served.transport?.write(numbered(0..<8_000_000))
        try subject.expect("something waits", (connection.served.transport?.writeBufferSize ?? 0) > 0)
        connection.server.closeClients()
        try subject.expect("not lost at once", connection.served.isLost, false)
        connection.client.transport?.resumeReading()
        try await subject.turn("the end") { connection.client.isLost }
        try subject.expect("all of it", connection.client.received == numbered(0..<8_000_000))
        connection.server.close()
        try await connection.server.waitClosed()
      }
    },
    ConformanceCheck(
      86, "abortClients drops what waits", facet: "abort", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.probedConnection(loop)
        connection.client.transport?.pauseReading()
        try connection.served.transport?.write(numbered(0..<8_000_000))
        connection.server.abortClients()
        connection.server.close()
        try await connection.server.waitClosed()
        connection.client.transport?.resumeReading()
        try await subject.turn("the end") { connection.client.isLost }
        try subject.expect("something was dropped", connection.client.received.count < 8_000_000)
      }
    },
    ConformanceCheck(
      87, "serveForever has one awaiter; cancelling it closes the server", facet: "cancel",
      capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let server = try await loop.createServer(host: "127.0.0.1", port: 0, startServing: false) { StreamProbe() }
        let serving = try loop.createTask { try await server.serveForever() }
        try await subject.turn("serving") { server.isServing }
        try await subject.expectRefusal("a second awaiter", .busy) { try await server.serveForever() }
        serving.cancel()
        do {
          try await serving.get()
          try subject.fail("the cancellation was lost")
        } catch is CancellationError {}
        try subject.expect("serving after", server.isServing, false)
        try await server.waitClosed()
        try await subject.expectRefusal("serving a closed server", .invalidState) { try await server.serveForever() }
      }
    },
    ConformanceCheck(
      87, "close ends serveForever", facet: "close", capabilities: .streamSockets,
      deviation: "CPython ends it with a CancelledError."
    ) { subject in
      try subject.run { loop in
        let server = try await loop.createServer(host: "127.0.0.1", port: 0) { StreamProbe() }
        let serving = try loop.createTask { try await server.serveForever() }
        for _ in 0..<3 { try await sleep(for: .zero) }
        try subject.expect("serving", !serving.isDone)
        server.close()
        try await serving.get()
      }
    },
  ]

  private static let serverTroubleChecks: [ConformanceCheck] = [
    ConformanceCheck(
      88, "Out of descriptors: one report, one retry after a second, and the listener goes on", facet: "shortage",
      capabilities: [.streamSockets, .systemDescriptors], surroundings: .ownProcess,
      deviation: "CPython makes a report and a retry for every client that waits, up to the backlog."
    ) { subject in
      try subject.run { loop in
        let trail = Trail()
        let shortage = try Shortage()
        let server = try await loop.createServer(host: "127.0.0.1", port: 0) { StreamProbe(trail) }
        let clients = try Clients(10)
        shortage.begin()
        try clients.connect(to: try subject.port(of: server))
        try await subject.turn("a report") { subject.reportCount > 0 }
        for _ in 0..<100 { try await sleep(for: .zero) }
        shortage.end()
        let reports = subject.takeReports()
        try subject.expect("reports", reports.count, 1)
        try subject.expect("made meanwhile", trail.count, 0)
        try await subject.turn("all clients are served") { trail.marks.count { $0 == "made" } == 10 }
        server.abortClients()
        server.close()
        try await server.waitClosed()
      }
    },
    ConformanceCheck(
      88, "A server that is closed during the pause stays silent", facet: "closed",
      capabilities: [.streamSockets, .systemDescriptors], surroundings: .ownProcess,
      deviation: "CPython raises inside the loop, once for each retry."
    ) { subject in
      try subject.run { loop in
        let shortage = try Shortage()
        let server = try await loop.createServer(host: "127.0.0.1", port: 0) { StreamProbe() }
        let clients = try Clients(10)
        shortage.begin()
        try clients.connect(to: try subject.port(of: server))
        try await subject.turn("a report") { subject.reportCount > 0 }
        shortage.end()
        try subject.expect("reports", subject.takeReports().count, 1)
        server.close()
        try await server.waitClosed()
        try await sleep(for: .milliseconds(1200))
        try subject.expect("reports after the close", subject.takeReports().count, 0)
      }
    },
    ConformanceCheck(
      89, "A factory that throws disconnects its client, is reported, and the server goes on",
      capabilities: .streamSockets, deviation: "CPython reports it in debug mode only."
    ) { subject in
      try subject.run { loop in
        struct NoProtocol: Error {}
        var calls = 0
        let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
          calls += 1
          if calls == 1 { throw NoProtocol() }
          return StreamProbe()
        }
        let port = try subject.port(of: server)
        let (_, first) = try await loop.createConnection(host: "127.0.0.1", port: port) { StreamProbe() }
        try await subject.turn("the first client is disconnected") { first.isLost }
        let reports = subject.takeReports()
        try subject.expect("reports", reports.count, 1)
        try subject.expect("the factory's error", reports.first?.exception is NoProtocol)
        let (transport, _) = try await loop.createConnection(host: "127.0.0.1", port: port) { StreamProbe() }
        try await subject.turn("the second client is served") { calls == 2 }
        transport.close()
        server.close()
        try await server.waitClosed()
      }
    },
  ]
}
