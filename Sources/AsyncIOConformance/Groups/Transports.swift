internal import AsyncIO
internal import SystemPackage

extension ConformanceSuite {
  /// Group G, transports and protocols.
  static let transportChecks: [ConformanceCheck] =
    transportErrorChecks + transportWritingChecks + transportReadingChecks + transportEndChecks

  private static let transportErrorChecks: [ConformanceCheck] = [
    ConformanceCheck(
      90, "An error of connectionMade is reported, and the connection is closed",
      capabilities: [.streamSockets, .systemDescriptors],
      deviation: "CPython reports it and leaves the connection open."
    ) { subject in
      try subject.run { loop in
        struct NotToday: Error {}
        let sockets = try subject.socketPair()
        let trail = Trail()
        do {
          _ = try await loop.connectAcceptedSocket(sockets.near) {
            StreamProbe(trail) { $0.onMade = { _ in throw NotToday() } }
          }
          try subject.fail("the error was not thrown to the caller that connects")
        } catch is NotToday {}
        sockets.release(sockets.near)
        try await subject.turn("the peer sees the end") { sockets.isAtEnd(sockets.far) }
        try subject.expect("calls", trail, "made lost")
        let reports = subject.takeReports()
        try subject.expect("reports", reports.count, 1)
        try subject.expect("the protocol's error", reports.first?.exception is NotToday)
        try subject.expect("names the transport", reports.first?.transport != nil)
        try subject.expect("names the protocol", reports.first?.protocol, "StreamProbe")
      }
    },
    ConformanceCheck(
      91, "An error of dataReceived is reported, and the connection is lost with it",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        struct Unreadable: Error {}
        let pair = try await subject.probedPair(loop) { $0.onData = { _ in throw Unreadable() } }
        pair.sockets.write(3, to: pair.peer)
        try await subject.turn("lost") { pair.probe.isLost }
        try subject.expect("calls", pair.probe.trail, "made data lost")
        try subject.expect("the reason", pair.probe.lost is Unreadable)
        let reports = subject.takeReports()
        try subject.expect("reports", reports.count, 1)
        try subject.expect("the protocol's error", reports.first?.exception is Unreadable)
        try await subject.turn("the peer sees the end") { pair.sockets.isAtEnd(pair.peer) }
      }
    },
    ConformanceCheck(
      103, "A buffered protocol without room ends the connection", capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let sockets = try subject.socketPair()
        let (_, probe) = try await loop.connectAcceptedSocket(sockets.near) { BufferedProbe(room: 0) }
        sockets.release(sockets.near)
        sockets.write(3, to: sockets.far)
        try await subject.turn("lost") { probe.isLost }
        let reports = subject.takeReports()
        try subject.expect("reports", reports.count, 1)
        try subject.expect("refused", (probe.lost as? EventLoopError)?.code == .invalidArgument)
      }
    },
  ]

  private static let transportEndChecks: [ConformanceCheck] = [
    ConformanceCheck(
      99, "A reset by the peer is the reason of the loss", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.probedConnection(loop)
        connection.client.transport?.abort()
        try await subject.turn("lost") { connection.served.isLost }
        let error = try subject.unwrap("a reason", connection.served.lost as? IOError)
        try subject.expect("the reason", error.errno == .connectionReset)
        try subject.expect("calls", connection.served.trail, "made lost")
        connection.server.close()
        try await connection.server.waitClosed()
      }
    },
    ConformanceCheck(
      99, "Bytes for a peer that has gone are the reason of the loss", facet: "write",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      // The first bytes for a TCP peer that has gone are sent, and nothing more is heard of them.
      guard Process.hasSocketPairs else { try subject.notOffered("a pair of sockets is a TCP connection here") }
      try subject.run { loop in
        for count in [1, 100_000] {
          let pair = try await subject.probedPair(loop)
          for _ in 0..<3 { try await sleep(for: .zero) }
          pair.sockets.close(pair.peer)
          try pair.transport.write(numbered(0..<count))
          try await subject.turn("lost") { pair.probe.isLost }
          let error = pair.probe.lost as? IOError
          try subject.expect("a broken pipe, \(count) bytes", error?.errno == .brokenPipe)
        }
      }
    },
    ConformanceCheck(
      100, "The loss is told once, never inside close or abort, and while the socket is open",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        let socket = try subject.unwrap("a socket", pair.transport.getExtraInfo(.socket))
        let open = Box(false)
        pair.probe.onLost = { open.value = socket.fileDescriptor >= 0 }
        pair.transport.close()
        pair.transport.abort()
        pair.transport.close()
        try subject.expect("inside the calls", pair.probe.trail, "made")
        try await sleep(for: .zero)
        try subject.expect("calls", pair.probe.trail, "made lost")
        try subject.expect("open when told", open.value)
        try subject.expect("afterwards", socket.fileDescriptor, -1)
        try subject.expect("the protocol is let go", try pair.transport.getProtocol() == nil)
        for _ in 0..<3 { try await sleep(for: .zero) }
        try subject.expect("calls in the end", pair.probe.trail, "made lost")
      }
    },
    ConformanceCheck(
      104, "A transport that is dropped without being closed closes its socket",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let sockets = try subject.socketPair()
        let trail = Trail()
        func make() async throws {
          let (transport, probe) = try await loop.connectAcceptedSocket(sockets.near) { StreamProbe(trail) }
          sockets.release(sockets.near)
          transport.pauseReading()
          probe.forget()
        }
        try await make()
        try await subject.turn("the peer sees the end") { sockets.isAtEnd(sockets.far) }
        try subject.expect("calls", trail, "made")
      }
    },
    ConformanceCheck(
      105, "TCP_NODELAY is set, and the view of the socket offers addresses and options", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.probedConnection(loop)
        for (name, probe) in [("client", connection.client), ("served", connection.served)] {
          let transport = try subject.unwrap("a transport", probe.transport)
          let socket = try subject.unwrap("a socket", transport.getExtraInfo(.socket))
          try subject.expect("no delay, \(name)", try socket.get(.noDelay))
          try socket.set(.noDelay, to: false)
          try subject.expect("changed, \(name)", try socket.get(.noDelay), false)
          try subject.expect("own address, \(name)", transport.getExtraInfo(.sockname) == socket.localAddress)
          try subject.expect("the peer's, \(name)", transport.getExtraInfo(.peername) == socket.peerAddress)
        }
        connection.client.transport?.close()
        connection.server.close()
        try await connection.server.waitClosed()
      }
    },
  ]
}
