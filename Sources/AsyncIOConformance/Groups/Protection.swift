internal import AsyncIO

extension ConformanceSuite {
  /// Group M: TLS under transports. The sockets are the system's, so a simulated loop has none of it here; it has
  /// scenarios of its own.
  static let protectionChecks: [ConformanceCheck] = handshakeChecks + goodbyeChecks

  private static let needs: IOCapabilities = [.streamSockets, .systemDescriptors]

  private static let handshakeChecks: [ConformanceCheck] = [
    ConformanceCheck(149, "Both protocols are told of their transports after the handshake", capabilities: needs) {
      subject in
      try subject.run { loop in
        let connection = try await subject.protectedConnection(loop)
        try subject.expect("client's calls", connection.client.trail, "made")
        try subject.expect("server's calls", connection.served.trail, "made")
        let agreed = try subject.unwrap("what was agreed on", connection.client.transport?.getExtraInfo(.tls))
        try subject.expect("version", agreed.version, "TLSv1.3")
        try subject.expect("the server's certificate", agreed.peerCertificates.map(\.subject), ["CN=localhost"])
        try connection.client.transport?.write("question")
        try await subject.turn("the question") { connection.served.received == Array("question".utf8) }
        try await subject.end(connection)
      }
    },
    ConformanceCheck(
      149, "A certificate that nobody trusts: the caller is told, and no protocol is", facet: "failure",
      capabilities: needs
    ) { subject in
      try subject.run { loop in
        let tls = try subject.makeTLSPair()
        let (served, calls) = (StreamProbe(), Trail())
        let server = try await loop.createServer(host: "127.0.0.1", port: 0, tls: tls.server) { served }
        let port = try subject.port(of: server)
        do {
          _ = try await loop.createConnection(
            host: "127.0.0.1", port: port, tls: tls.stranger, serverHostname: "localhost"
          ) { StreamProbe(calls) }
          try subject.fail("the certificate was accepted")
        } catch let error as TLSError {
          try subject.expect("the certificate is refused", error.code == .unknownAuthority)
        }
        try await letTurn(20)
        try subject.expect("client's calls", calls, "nothing")
        try subject.expect("server's calls", served.trail, "nothing")
        server.close()
        try await server.waitClosed()
      }
    },
    ConformanceCheck(
      149, "A peer that says nothing: the handshake ends in time", facet: "timeout", capabilities: needs
    ) { subject in
      try subject.run { loop in
        let silent = try await TCPPair.listening()
        defer { silent.close() }
        let port = try subject.unwrap("a port", silent.localAddress?.port)
        let (tls, calls) = (try subject.makeTLSPair(try TLSLimits(handshake: .milliseconds(50))), Trail())
        do {
          _ = try await loop.createConnection(
            host: "127.0.0.1", port: port, tls: tls.client, serverHostname: "localhost"
          ) { StreamProbe(calls) }
          try subject.fail("the handshake ended without a peer")
        } catch let error as TLSError {
          try subject.expect("it ends in time", error.code == .timedOut)
        }
        try subject.expect("calls", calls, "nothing")
      }
    },
    ConformanceCheck(
      149, "A peer that goes during the handshake: the caller is told", facet: "loss", capabilities: needs
    ) { subject in
      try subject.run { loop in
        let listener = try await TCPPair.listening()
        defer { listener.close() }
        let port = try subject.unwrap("a port", listener.localAddress?.port)
        let (tls, calls) = (try subject.makeTLSPair(), Trail())
        let going = try startTask {
          let accepted = try await listener.accept()
          accepted.close()
        }
        do {
          _ = try await loop.createConnection(
            host: "127.0.0.1", port: port, tls: tls.client, serverHostname: "localhost"
          ) { StreamProbe(calls) }
          try subject.fail("the handshake ended without a peer")
        } catch let error where error is TLSError || error is IOError {
          try subject.expect("the caller is told", true)
        }
        try await going.value
        try subject.expect("calls", calls, "nothing")
      }
    },
    ConformanceCheck(
      150, "A connection is protected after it was used without; no protocol is told of it again", capabilities: needs
    ) { subject in
      try subject.run { loop in
        let tls = try subject.makeTLSPair()
        let connection = try await subject.probedConnection(loop)
        let near = try subject.unwrap("a transport", connection.client.transport)
        let far = try subject.unwrap("a transport", connection.served.transport)
        try near.write("upgrade")
        try await subject.turn("the wish") { connection.served.received.count == 7 }
        // Right because both tasks run in the loop's thread, which the objects belong to.
        nonisolated(unsafe) let (transport, served) = (far, connection.served)
        let starting = try startTask { try await loop.startTLS(transport, served, tls.server) }
        try await loop.startTLS(near, connection.client, tls.client, serverHostname: "localhost")
        try await starting.value
        try subject.expect("protected", far.getExtraInfo(.tls) != nil)
        try near.write(" and on")
        try await subject.turn("the rest") { connection.served.received.count == 14 }
        try subject.expect("received", String(decoding: connection.served.received, as: UTF8.self), "upgrade and on")
        try subject.expect("server's calls", connection.served.trail, "made data")
        try await subject.end(connection)
      }
    },
  ]

  private static let goodbyeChecks: [ConformanceCheck] = [
    ConformanceCheck(151, "A close sends what was written, and says goodbye", capabilities: needs) { subject in
      try subject.run { loop in
        let connection = try await subject.protectedConnection(loop)
        try connection.client.transport?.write([UInt8](repeating: 5, count: 1_000_000))
        connection.client.transport?.close()
        try await subject.turn("both are told") { connection.client.isLost && connection.served.isLost }
        try subject.expect("received", connection.served.received.count, 1_000_000)
        try subject.expect("server's calls", connection.served.trail, "made data end lost")
        try subject.expect("the server's reason", "\(String(describing: connection.served.lost))", "nil")
        try subject.expect("the client's reason", "\(String(describing: connection.client.lost))", "nil")
        try await subject.end(connection)
      }
    },
    ConformanceCheck(152, "A peer that never answers the goodbye holds nobody up", capabilities: needs) { subject in
      try subject.run { loop in
        let before = timerCount(loop)
        let limits = try TLSLimits(shutdown: .milliseconds(50))
        let connection = try await subject.protectedConnection(loop, limits: limits) {
          $0.onMade = { $0.pauseReading() }
        }
        connection.client.transport?.close()
        try await subject.turn("the client is told") { connection.client.isLost }
        try subject.expect("client's calls", connection.client.trail, "made lost")
        try await subject.turn("no limit is left") { timerCount(loop) == before }
        try subject.expect("server's calls", connection.served.trail, "made")
        connection.served.transport?.abort()
        try await subject.turn("the server is told") { connection.served.isLost }
        try await subject.end(connection)
      }
    },
    ConformanceCheck(
      153, "Bytes before the goodbye are delivered to a protocol that had paused", capabilities: needs
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.protectedConnection(loop) { $0.onMade = { $0.pauseReading() } }
        try connection.client.transport?.write([UInt8](repeating: 5, count: 50_000))
        connection.client.transport?.close()
        try await letTurn(20)
        try subject.expect("held back", connection.served.trail, "made")
        connection.served.transport?.resumeReading()
        try await subject.turn("lost") { connection.served.isLost }
        try subject.expect("received", connection.served.received.count, 50_000)
        try subject.expect("server's calls", connection.served.trail, "made data end lost")
        try await subject.end(connection)
      }
    },
    ConformanceCheck(
      153, "What dataReceived queues runs before the next chunk and before the goodbye", facet: "turns",
      capabilities: needs, deviation: "CPython tells of the goodbye in the turn that brought the last bytes."
    ) { subject in
      try subject.run { loop in
        for size in [3, 100_000] {
          let connection = try await subject.protectedConnection(loop) { $0.marksWhatItQueues(on: loop) }
          try connection.client.transport?.write([UInt8](repeating: 5, count: size))
          connection.client.transport?.close()
          try await subject.turn("lost") { connection.served.isLost }
          try subject.expectTurns("\(size) bytes", connection.served.trail)
          try await subject.end(connection)
        }
      }
    },
    ConformanceCheck(154, "A protocol that has paused can close, and is told", capabilities: needs) { subject in
      try subject.run { loop in
        let connection = try await subject.protectedConnection(loop)
        connection.client.transport?.pauseReading()
        try connection.served.transport?.write("nobody reads this")
        try await letTurn(5)
        connection.client.transport?.close()
        try await subject.turn("both are told") { connection.client.isLost && connection.served.isLost }
        try subject.expect("client's calls", connection.client.trail, "made lost")
        try await subject.end(connection)
      }
    },
    ConformanceCheck(
      155, "The end of the output is a goodbye; the other direction goes on", capabilities: needs,
      deviation: "CPython offers no half-close over TLS: can_write_eof is false, write_eof raises NotImplementedError."
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.protectedConnection(loop) { $0.onEnd = { true } }
        let transport = try subject.unwrap("a transport", connection.client.transport)
        try subject.expect("can write the end", transport.canWriteEOF, true)
        try transport.writeEOF()
        try await subject.turn("the end") { connection.served.trail.marks.last == "end" }
        try connection.served.transport?.write("answer")
        try await subject.turn("the answer") { connection.client.received == Array("answer".utf8) }
        try subject.expect("server's calls", connection.served.trail, "made end")
        connection.served.transport?.close()
        try await subject.turn("both are told") { connection.client.isLost && connection.served.isLost }
        try await subject.end(connection)
      }
    },
    ConformanceCheck(156, "No timer is left of a connection", capabilities: needs) { subject in
      try subject.run { loop in
        let before = timerCount(loop)
        let connection = try await subject.protectedConnection(loop)
        try subject.expect("none after the handshake", timerCount(loop) == before)
        try await subject.end(connection)
        try await subject.turn("no limit is left") { timerCount(loop) == before }
        subject.saw("none after the close", true)
      }
    },
  ]
}

extension ConformanceSubject {
  /// Close everything, and wait until both protocols know.
  fileprivate func end(_ connection: ProbedConnection) async throws {
    connection.client.transport?.close()
    connection.served.transport?.close()
    try await turn("both are told") { connection.client.isLost && connection.served.isLost }
    connection.server.close()
    try await connection.server.waitClosed()
  }
}

/// The number of timers of a loop, if it is one of this package.
private func timerCount(_ loop: any EventLoop) -> Int { (loop as? BaseEventLoop)?.scheduledTimerCount ?? 0 }
