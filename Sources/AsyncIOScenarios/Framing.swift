internal import AsyncIO
internal import AsyncIOSimulation

extension Scenario {
  /// Streams whose bytes are frames, and that several tasks write.
  static let frames: [Scenario] = [
    Scenario(
      "frames", "Frames arrive as they were, wherever they are cut and the reader is cancelled", faults: .mild
    ) { world in
      let messages = (0..<30).map { _ in world.bytes(world.random.below(world.random.chance(0.1) ? 3000 : 60)) }
      let codec = LengthPrefixed(
        .uint16, littleEndian: world.random.chance(0.5), countsPrefix: world.random.chance(0.5))
      world.host("server").start("frames") {
        let listener = try await StreamListener.bind(host: "server", port: 7)
        try await listener.serve { connection in
          var bytes: [UInt8] = []
          for message in messages { try codec.encode(message, into: &bytes) }
          try await world.write(bytes, inPiecesOf: 100, on: connection) {
            if world.random.chance(0.3) { try await world.pause(around: .microseconds(300)) }
          }
        }
      }
      try await world.host("client").run {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "server", port: 7) }
        defer { connection.close() }
        var got: [[UInt8]] = []
        while true {
          do {
            // A new sequence each time: it goes on where the one before was cancelled.
            let next = try await withTimeout(.microseconds(50 << world.random.below(16))) {
              var frames = connection.frames(codec).makeAsyncIterator()
              return try await frames.next()
            }
            guard let next else { break }
            got.append(next)
          } catch is TimeoutError { world.sometimes("a reader of frames is cancelled") }
        }
        try world.require(got == messages, "\(got.count) of \(messages.count) frames, or others")
      }
    },
    Scenario(
      "writers", "What several tasks write to one stream arrives whole, once, and each task's in its order",
      faults: .mild
    ) { world in
      let (received, accepted) = (Ledger<[UInt8]>(), Ledger<[UInt8]>())
      let codec = LengthPrefixed(.uint16)
      let reader = try world.task(on: "reader") {
        let listener = try await world.listen(on: "reader", 7)
        let connection = try await listener.accept()
        for try await frame in connection.frames(codec) {
          received.entries.append(frame)
          if world.random.chance(0.1) { try await world.pause(around: .milliseconds(2)) }
        }
        listener.close()
        connection.close()
      }
      try await world.host("writer").run {
        let connection = try await world.untilConnected { try await StreamConnection.connect(host: "reader", port: 7) }
        let writer = BufferedWriter(connection, limit: world.random.below(3000))
        try await withThrowingTaskGroup(of: Void.self) { group in
          for part in 0..<4 as Range<UInt8> {
            group.addTask {
              for number in 0..<10 as Range<UInt8> {
                let frame = [part, number] + world.bytes(world.random.below(1500))
                do {
                  try await world.briefly {
                    try await writer.write(frame: frame, as: codec)
                    accepted.entries.append(frame)
                  }
                  if world.random.chance(0.2) { try await world.briefly { try await writer.flush() } }
                } catch is TimeoutError { world.sometimes("a task that writes is cancelled") }
                if world.random.chance(0.3) { try await world.pause(around: .milliseconds(1)) }
              }
            }
          }
          try await group.waitForAll()
        }
        try await writer.close()
      }
      try await reader.get()
      // Tasks may be resumed in another order than their bytes were taken in.
      for part in 0..<4 as Range<UInt8> {
        let (got, sent) = (received.entries.filter { $0[0] == part }, accepted.entries.filter { $0[0] == part })
        try world.require(got == sent, "of \(part) came \(got.map { $0[1] }), and not \(sent.map { $0[1] })")
      }
    },
  ]
}
