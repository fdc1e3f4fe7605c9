#if os(Linux)
  import AsyncIO
  import POSIX
  import Testing

  extension RealPrograms {
    /// Datagrams and files with peers that are not ours.
    @Suite struct DatagramPrograms {
      @Test(
        "socat gets its datagrams back from an endpoint",
        .enabled(if: Program.areInstalled("socat"), "socat is not installed"), arguments: LoopKind.allCases)
      func socatAsClient(kind: LoopKind) async throws {
        try await kind.run { _ in
          let server = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
          let echo = try loopTask {
            try await server.forEachDatagram { bytes, address in try await server.send(bytes, to: address) }
          }
          let directory = TemporaryDirectory()
          let text = (0..<200).map { "line \($0)\n" }.joined()
          let input = "\(directory.path)/input"
          let file = try #require(fopen(input, "w"))
          fputs(text, file)
          fclose(file)
          let client = try await Program.run(
            ["socat", "-t", "1", "-", "UDP:127.0.0.1:\(server.localAddress!.port!)"], input: input)
          #expect(client.status == 0)
          #expect(client.output == text)
          server.close()
          _ = await echo.result
        }
      }

      @Test(
        "An endpoint gets its datagrams back from socat",
        .enabled(if: Program.areInstalled("socat", "cat"), "socat is not installed"), arguments: LoopKind.allCases)
      func socatAsServer(kind: LoopKind) async throws {
        try await kind.run { _ in
          let port = try await freePort()
          // A process for each datagram, so that no two of them become one.
          let socat = try Program(["socat", "UDP-RECVFROM:\(port),bind=127.0.0.1,fork", "EXEC:cat"])
          let client = try await DatagramEndpoint.connect(host: "127.0.0.1", port: port)
          for count in [5, 100, 1400] {
            let bytes = [UInt8](repeating: UInt8(count & 255), count: count)
            // Until it listens each datagram is refused, and the endpoint goes on.
            try await Program.wait(for: "an answer of socat", limit: 20) {
              do {
                try await client.send(bytes)
                return try await withTimeout(.milliseconds(500)) {
                  while try await client.receive().bytes != bytes {}
                }
              } catch {
                return nil
              }
            }
          }
          socat.kill()
          client.close()
        }
      }

      @Test(
        "iperf3 measures through a relay of datagrams",
        .enabled(if: Program.areInstalled("iperf3"), "iperf3 is not installed"), arguments: LoopKind.allCases)
      func iperf(kind: LoopKind) async throws {
        try await kind.run { _ in
          let port = try await freePort()
          let server = try Program(["iperf3", "-s", "-1", "--forceflush", "-B", "127.0.0.1", "-p", "\(port)"])
          try await server.waitForLine("Server listening")
          let relay = try await IperfRelay(to: port)
          let running = try loopTask { try await relay.run() }
          let client = try await Program.run(
            ["iperf3", "-u", "-c", "127.0.0.1", "-p", "\(relay.port)", "-t", "1", "-b", "8M", "-l", "1200"])
          #expect(client.status == 0, "\(client.output)")
          #expect(client.output.contains("receiver"), "\(client.output)")
          #expect(relay.relayed > 500, "\(relay.relayed) datagrams")
          running.cancel()
          _ = await running.result
        }
      }
    }
  }

  /// A port of the loopback that is free for TCP and UDP just now.
  private func freePort() async throws -> UInt16 {
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    defer { listener.close() }
    let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: listener.port)
    endpoint.close()
    return listener.port
  }

  /// Passes on iperf3's control connection, and its datagrams in both directions.
  private final class IperfRelay: Sendable {
    let port: UInt16
    private let target: UInt16
    private let listener: StreamListener
    private let endpoint: DatagramEndpoint
    private let count = Counter()

    var relayed: Int { count.value }

    init(to target: UInt16) async throws {
      self.target = target
      listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      port = listener.port
      endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: listener.port)
    }

    func run() async throws {
      let datagrams = try loopTask { try await self.relayDatagrams() }
      defer {
        datagrams.cancel()
        listener.close()
        endpoint.close()
      }
      try await listener.serve { near in
        let far = try await StreamConnection.connect(host: "127.0.0.1", port: self.target)
        defer { far.close() }
        async let back: Void = far.forEachChunk { try await near.write($0) }
        try await near.forEachChunk { try await far.write($0) }
        try far.writeEOF()
        try await back
      }
    }

    private func relayDatagrams() async throws {
      let onward = try await DatagramEndpoint.connect(host: "127.0.0.1", port: target)
      defer { onward.close() }
      let client = Recorder<SocketAddress>()
      let back = try loopTask { [endpoint] in
        try await onward.forEachDatagram { bytes, _ in
          if let address = client.all.last { try await endpoint.send(bytes, to: address) }
        }
      }
      defer { back.cancel() }
      try await endpoint.forEachDatagram { bytes, address in
        if client.all.last != address { client.record(address) }
        count.add(1)
        try await onward.send(bytes)
      }
    }
  }
#endif
