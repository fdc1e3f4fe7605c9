import AsyncIO
import Testing

/// What a server does with all of its clients.
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
}
