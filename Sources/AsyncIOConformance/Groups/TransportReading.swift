internal import AsyncIO

extension ConformanceSuite {
  /// Group G, what a transport receives.
  static let transportReadingChecks: [ConformanceCheck] = [
    ConformanceCheck(
      98, "A protocol that keeps the connection open at the peer's end can still write, and hears of the end once",
      capabilities: .streamSockets,
      deviation: "CPython calls eof_received again after pause_reading and resume_reading."
    ) { subject in
      try subject.run { loop in
        let connection = try await subject.probedConnection(loop)
        connection.served.onEnd = { true }
        try connection.client.transport?.write("bye")
        try connection.client.transport?.writeEOF()
        try await subject.turn("the end") { connection.served.trail.marks.last == "end" }
        let transport = try subject.unwrap("a transport", connection.served.transport)
        try subject.expect("closing", transport.isClosing, false)
        for _ in 0..<3 {
          transport.pauseReading()
          try await sleep(for: .zero)
          transport.resumeReading()
          try await sleep(for: .zero)
        }
        try subject.expect("calls", connection.served.trail, "made data end")
        try transport.write("bye bye")
        try await subject.turn("the answer") { connection.client.received == Array("bye bye".utf8) }
        transport.close()
        connection.server.close()
        try await connection.server.waitClosed()
        try await subject.turn("lost") { connection.client.isLost }
      }
    },
    ConformanceCheck(
      98, "A protocol that does not is closed at the peer's end", facet: "closes",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        pair.sockets.close(pair.peer)
        try await subject.turn("lost") { pair.probe.isLost }
        try subject.expect("calls", pair.probe.trail, "made end lost")
        try subject.expect("the reason", pair.probe.lost == nil)
      }
    },
    ConformanceCheck(
      98, "What dataReceived queues runs before the next chunk and before the end", facet: "turns",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        for (what, isEarly) in [("before the transport", true), ("while it waits", false)] {
          for isMuch in [false, true] {
            let sockets = try subject.socketPair()
            func play() {
              if isMuch { sockets.fill(sockets.far) } else { sockets.write(3, to: sockets.far) }
              sockets.close(sockets.far)
            }
            if isEarly { play() }
            let (_, probe) = try await loop.connectAcceptedSocket(sockets.near) {
              StreamProbe(Trail()) { $0.marksWhatItQueues(on: loop) }
            }
            sockets.release(sockets.near)
            try await letTurn()
            if !isEarly { play() }
            try await subject.turn("lost") { probe.isLost }
            try subject.expectTurns("\(what), \(isMuch ? "much" : "little")", probe.trail)
          }
        }
      }
    },
    ConformanceCheck(
      101, "A pause in connectionMade holds the data back until reading is resumed",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop) { $0.onMade = { $0.pauseReading() } }
        pair.sockets.write(10, to: pair.peer)
        for _ in 0..<5 { try await sleep(for: .zero) }
        try subject.expect("held back", pair.probe.trail, "made")
        try subject.expect("reading while paused", pair.transport.isReading, false)
        pair.transport.pauseReading()
        pair.transport.resumeReading()
        pair.transport.resumeReading()
        try subject.expect("reading", pair.transport.isReading, true)
        try subject.expect("inside resumeReading", pair.probe.received.count, 0)
        try await subject.turn("data") { pair.probe.received.count == 10 }
        pair.transport.close()
        pair.transport.pauseReading()
        pair.transport.resumeReading()
        try subject.expect("reading when closing", pair.transport.isReading, false)
        try await subject.turn("lost") { pair.probe.isLost }
        try subject.expect("calls", pair.probe.trail, "made data lost")
      }
    },
    ConformanceCheck(
      102, "The kind of protocol can change while data flows", capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let pair = try await subject.probedPair(loop)
        let buffered = BufferedProbe(room: 7)
        let plain = StreamProbe()
        let transport = pair.transport
        buffered.onUpdate = { [unowned buffered] in
          if buffered.received.count >= 70 { try transport.setProtocol(plain) }
        }
        pair.probe.onData = { _ in try transport.setProtocol(buffered) }
        pair.sockets.write(1, to: pair.peer)
        try await subject.turn("the first byte") { pair.probe.received.count == 1 }
        pair.sockets.write(100, to: pair.peer)
        try await subject.turn("all bytes") { buffered.received.count + plain.received.count == 100 }
        try subject.expect("by the buffered one", buffered.received.count, 70)
        try subject.expect("by the plain one", plain.received.count, 30)
        try subject.expect("is the protocol", try pair.transport.getProtocol() === plain)
        pair.transport.close()
        try await subject.turn("lost") { plain.isLost }
        try subject.expect("made is told once", plain.trail, "data lost")
      }
    },
    ConformanceCheck(
      102, "A buffered protocol that pauses amid a chunk loses nothing of it", facet: "pause",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let sockets = try subject.socketPair()
        let (transport, probe) = try await loop.connectAcceptedSocket(sockets.near) { BufferedProbe(room: 10) }
        sockets.release(sockets.near)
        probe.onUpdate = { transport.pauseReading() }
        sockets.write(35, to: sockets.far)
        for expected in [10, 20, 30, 35] {
          try await subject.turn("\(expected) bytes") { probe.received.count == expected }
          for _ in 0..<3 { try await sleep(for: .zero) }
          try subject.expect("received", probe.received.count, expected)
          transport.resumeReading()
        }
        transport.close()
      }
    },
  ]
}
