import AsyncIO
import Testing

/// What a server does with all of its clients, and what waits for their ends.
@Suite(.timeLimit(.minutes(5)))
struct ServerClientsTests {
  @Test("Clients are closed, or aborted, in the order in which they came", arguments: LoopKind.allCases)
  func order(kind: LoopKind) async throws {
    for aborts in [false, true] {
      try await kind.run { loop in
        let (made, lost) = (Recorder<Int>(), Recorder<Int>())
        let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
          ScriptedProtocol { proto in
            let number = made.all.count
            proto.onMade = { _ in made.record(number) }
            proto.onLost = { lost.record(number) }
          }
        }
        let port = try #require(server.addresses.first?.port)
        var clients: [StreamConnection] = []
        for number in 0..<12 {
          clients.append(try await StreamConnection.connect(host: "127.0.0.1", port: port))
          while made.all.count <= number { try await sleep(for: .milliseconds(1)) }
        }
        server.close()
        if aborts { server.abortClients() } else { server.closeClients() }
        try await server.waitClosed()
        #expect(lost.all == Array(0..<12))
        for client in clients { client.close() }
      }
    }
  }

  @Test("A server and its client that are closed at once end who waits for the server", arguments: LoopKind.allCases)
  func closedTogether(kind: LoopKind) async throws {
    // Whichever is closed first, and in one turn or the next.
    for order in [
      ["server", "client"], ["client", "server"], ["server", "turn", "client"], ["client", "turn", "server"],
    ] {
      try await kind.run { loop in
        let served = Recorder<String>()
        let server = try await loop.createServer(host: "127.0.0.1", port: 0) {
          ScriptedProtocol { proto in
            proto.onMade = { _ in served.record("made") }
            proto.onLost = { served.record("lost") }
          }
        }
        let early = try loop.createTask { try await server.waitClosed() }
        let port = try #require(server.addresses.first?.port)
        let client = try await StreamConnection.connect(host: "127.0.0.1", port: port)
        try await turnUntil { served.all == ["made"] }
        #expect(!early.isDone)
        for step in order {
          switch step {
          case "server": server.close()
          case "client": client.close()
          default: try await sleep(for: .zero)
          }
        }
        try await server.waitClosed()
        #expect(served.all == ["made", "lost"], "\(order)")
        try await early.get()
      }
    }
  }
}
