internal import AsyncIO
internal import SystemPackage

// Listening for streams: the lines of G about addresses of servers, and those of I about files of Unix sockets.

extension ConformanceSuite {
  static let streamListeningChecks: [ConformanceCheck] = [
    ConformanceCheck(
      72, "What comes after a cancelled accept of a stream is the next one's, or ends when the listener is closed",
      facet: "stream", capabilities: .streamSockets,
      deviation: "CPython leaves what was accepted for a cancelled accept to the collector."
    ) { subject in
      try subject.run { _ in
        for isNext in [true, false] {
          let listener = try await StreamListener.bind(hosts: ["127.0.0.1", "127.0.0.2"], port: 0)
          let waiting = try startTask { _ = try await listener.accept() }
          try await letTurn()
          waiting.cancel()
          try subject.expect("the accept", await outcome { try await waiting.value }, "cancelled")
          // One by each address, whichever the mechanism has accepted by now.
          for address in listener.addresses {
            let client = try await StreamConnection.connect(to: address)
            defer { client.close() }
            try await letTurn()
            if isNext {
              let served = try await listener.accept()
              try await served.write("x")
              served.close()
              try subject.expect("served", try await client.readToEnd(), Array("x".utf8))
            } else if address == listener.addresses.last {
              listener.close()
              let end = await outcome { try subject.require(try await client.read(upTo: 1).isEmpty, "bytes came") }
              try subject.expect("ended", end == "done" || end == "\(Errno.connectionReset)")
            }
          }
          listener.close()
        }
      }
    },
    ConformanceCheck(
      82, "A listener binds hosts that are named twice once, and reports the port that it was given", facet: "stream",
      capabilities: .streamSockets
    ) { subject in
      try subject.run { _ in
        let listener = try await StreamListener.bind(hosts: ["127.0.0.1", "127.0.0.1"], port: 0)
        try subject.expect("sockets", listener.addresses.count, 1)
        try subject.expect("a port", listener.port != 0)
        let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        let accepted = try await listener.accept()
        try subject.expect("accepted on it", accepted.localAddress == listener.addresses[0])
        accepted.close()
        client.close()
        listener.close()
      }
    },
    ConformanceCheck(
      83, "A listener whose start is put off refuses clients until then; closed, it cannot start", facet: "stream",
      capabilities: .streamSockets,
      deviation: "CPython dies with an unrelated TypeError when it starts after the close."
    ) { subject in
      try subject.run { _ in
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, startServing: false)
        let refused = await thrown { _ = try await StreamConnection.connect(to: listener.addresses[0]) }
        try subject.expect("before", (refused as? IOError)?.errno == .connectionRefused)
        try listener.startServing()
        try listener.startServing()
        let client = try await StreamConnection.connect(to: listener.addresses[0])
        try await listener.accept().close()
        client.close()
        listener.close()
        let closed = await thrown { try listener.startServing() }
        try subject.expect("after the close", (closed as? IOError)?.errno == .badFileDescriptor)
      }
    },
    ConformanceCheck(
      115, "The stale file of a Unix socket is replaced; any other file is kept, and is in use",
      facet: "stream", capabilities: [.streamSockets, .unixSockets]
    ) { subject in
      let directory = try subject.scratchDirectory(files: "s")
      try subject.run { _ in
        let stale = try await StreamListener.bind(unixPath: directory.file("s"), cleanupSocket: false)
        stale.close()
        try subject.expect("left behind", directory.contains("s"))
        let next = try await StreamListener.bind(unixPath: directory.file("s"))
        let client = try await StreamConnection.connect(unixPath: directory.file("s"))
        try await next.accept().close()
        client.close()
        next.close()
        try directory.write("data", to: "s")
        let error = await thrown { _ = try await StreamListener.bind(unixPath: directory.file("s")) }
        try subject.expect("in use", (error as? IOError)?.errno == .addressInUse)
        try subject.expect("the path is named", "\(error!)".contains(directory.file("s")))
        try subject.expect("kept", directory.contains("s"))
      }
    },
    ConformanceCheck(
      115, "The socket of a listener that is open is in use, and the listener sees nobody who asks",
      facet: "stream-live", capabilities: [.streamSockets, .unixSockets],
      deviation: "CPython takes the path over, and the first server goes on without clients and without a word."
    ) { subject in
      let directory = try subject.scratchDirectory(files: "s")
      try subject.run { _ in
        for serves in [true, false] {
          let first = try await StreamListener.bind(unixPath: directory.file("s"), startServing: serves)
          let error = await thrown { _ = try await StreamListener.bind(unixPath: directory.file("s")) }
          try subject.expect("in use", (error as? IOError)?.errno == .addressInUse)
          try first.startServing()
          let client = try await StreamConnection.connect(unixPath: directory.file("s"))
          try await client.write("x")
          try subject.expect("the first one's client", try await first.accept().readExactly(1).count == 1)
          client.close()
          first.close()
        }
      }
    },
    ConformanceCheck(
      116, "Closing a listener removes its file: not if replaced, not if disabled; gone is fine", facet: "stream",
      capabilities: [.streamSockets, .unixSockets]
    ) { subject in
      let directory = try subject.scratchDirectory(files: "s")
      try subject.run { _ in
        func bind(cleanup: Bool = true) async throws -> StreamListener {
          try await StreamListener.bind(unixPath: directory.file("s"), cleanupSocket: cleanup)
        }
        try await bind().close()
        try subject.expect("removed", !directory.contains("s"))
        let first = try await bind()
        directory.remove("s")
        let second = try await bind()
        first.close()
        try subject.expect("replaced, kept", directory.contains("s"))
        second.close()
        try subject.expect("the second one's, removed", !directory.contains("s"))
        try await bind(cleanup: false).close()
        try subject.expect("disabled, kept", directory.contains("s"))
        let gone = try await bind()
        directory.remove("s")
        gone.close()
        try subject.expect("gone", !directory.contains("s"))
      }
    },
    ConformanceCheck(
      116, "The file that an abstract name looks like is not touched", facet: "stream-abstract",
      capabilities: [.streamSockets, .unixSockets]
    ) { subject in
      guard Process.hasAbstractNames else { try subject.notOffered("abstract names are Linux's") }
      let directory = try subject.scratchDirectory(files: "s")
      try directory.write("data", to: "s")
      try subject.run { _ in
        let listener = try await StreamListener.bind(unixPath: "\0\(directory.file("s"))")
        let client = try await StreamConnection.connect(unixPath: "\0\(directory.file("s"))")
        try await listener.accept().close()
        client.close()
        listener.close()
        try subject.expect("kept", directory.contains("s"))
      }
    },
    ConformanceCheck(
      117, "A Unix path may be a path value; one that is too long is refused with its length", facet: "stream",
      capabilities: [.streamSockets, .unixSockets]
    ) { subject in
      let directory = try subject.scratchDirectory(files: "s")
      try subject.run { _ in
        let listener = try await StreamListener.bind(unixPath: FilePath(directory.file("s")))
        let client = try await StreamConnection.connect(unixPath: FilePath(directory.file("s")))
        try await listener.accept().close()
        client.close()
        listener.close()
        let limit = SocketAddress.maximumUnixPathLength
        let long = "/" + String(repeating: "x", count: limit)
        for (name, error) in [
          ("bind", await thrown { _ = try await StreamListener.bind(unixPath: long) }),
          ("connect", await thrown { _ = try await StreamConnection.connect(unixPath: long) }),
        ] {
          try subject.expect(name, (error as? EventLoopError)?.code, .invalidArgument)
          try subject.require("\(error!)".contains("\(limit + 1) bytes"), "no length: \(error!)")
        }
      }
    },
  ]
}
