internal import AsyncIO
internal import SystemPackage

// Connecting streams to hosts: the lines of G that are about addresses. A host "" is this machine, which has two: the
// loopback's of IPv4 and of IPv6.

extension ConformanceSuite {
  static let streamConnectingChecks: [ConformanceCheck] = [
    ConformanceCheck(
      71, "A stream connects to a name; refused, its error has the address", facet: "stream",
      capabilities: .streamSockets
    ) { subject in
      try subject.run { _ in
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        let client = try await StreamConnection.connect(host: "localhost", port: listener.port, family: .ipv4)
        try subject.expect("peer is the listener", client.peerAddress == listener.addresses[0])
        client.close()
        listener.close()
        let error = await thrown {
          _ = try await StreamConnection.connect(host: "localhost", port: listener.port, family: .ipv4)
        }
        let refused = try subject.unwrap("refusal", error as? IOError)
        try subject.expect("error", refused.errno == .connectionRefused, true)
        try subject.require(refused.description.contains("127.0.0.1:\(listener.port)"), "no address: \(refused)")
      }
    },
    ConformanceCheck(
      77, "A stream whose connect is cancelled is not left behind", facet: "stream", capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let silent = try await StreamListener.bind(host: "127.0.0.1", port: 0, backlog: 1)
        defer { silent.close() }
        try subject.silence(port: silent.port)
        let task = try loop.createTask { try await StreamConnection.connect(host: "127.0.0.1", port: silent.port) }
        for _ in 0..<5 { try await sleep(for: .zero) }
        try subject.expect("waits", !task.isDone)
        task.cancel()
        let error = await thrown { try await task.get().close() }
        try subject.expect("cancelled", error is CancellationError)
      }
    },
    ConformanceCheck(
      78, "All addresses of a stream's host fail: the only error itself, several in a list, all on request",
      facet: "stream", capabilities: .streamSockets,
      deviation: "CPython joins the texts of several errors into one OSError, and has a group for all_errors."
    ) { subject in
      try subject.run { _ in
        let port = try await unusedPort(subject)
        let single = await thrown { _ = try await StreamConnection.connect(host: "127.0.0.1", port: port) }
        try subject.expect("one address", single is IOError)
        let several = await thrown { _ = try await StreamConnection.connect(host: "", port: port) }
        try subject.expect("two addresses", (several as? ConnectError)?.attempts.count, 2)
        let all = await thrown {
          _ = try await StreamConnection.connect(host: "127.0.0.1", port: port, allErrors: true)
        }
        try subject.expect("one address, all errors", (all as? ConnectError)?.attempts.count, 1)
      }
    },
    ConformanceCheck(
      79, "Happy eyeballs: a silent first address costs a stream the delay, and is given up", facet: "stream",
      capabilities: [.streamSockets, .systemDescriptors]
    ) { subject in
      try subject.run { loop in
        let silent = try await StreamListener.bind(host: "127.0.0.1", port: 0, backlog: 1)
        defer { silent.close() }
        let live: StreamListener
        do { live = try await StreamListener.bind(host: "::1", port: silent.port) } catch {
          try subject.notOffered("no listener on the second address: \(error)")
        }
        defer { live.close() }
        try subject.silence(port: silent.port)
        let start = loop.time()
        let client = try await StreamConnection.connect(
          host: "", port: silent.port, happyEyeballsDelay: .milliseconds(20))
        let took = start.duration(to: loop.time())
        try subject.expect("peer is the second address", client.peerAddress == live.addresses[0])
        try subject.require(took >= .milliseconds(20), "connected after \(took)")
        client.close()
      }
    },
    ConformanceCheck(
      79, "Happy eyeballs: an address that refuses does not cost the delay", facet: "stream-refused",
      capabilities: .streamSockets
    ) { subject in
      try subject.run { _ in
        let live: StreamListener
        do { live = try await StreamListener.bind(host: "::1", port: 0) } catch {
          try subject.notOffered("no listener on the second address: \(error)")
        }
        defer { live.close() }
        // The check's own limit of time is the test.
        let client = try await StreamConnection.connect(host: "", port: live.port, happyEyeballsDelay: .seconds(3600))
        try subject.expect("peer is the second address", client.peerAddress == live.addresses[0])
        client.close()
      }
    },
    ConformanceCheck(
      80, "A stream tries the addresses of the wanted family, in the resolver's order", facet: "stream",
      capabilities: .streamSockets
    ) { subject in
      try subject.run { loop in
        let port = try await unusedPort(subject)
        func attempts(_ family: AddressFamily, _ interleave: Int?) async throws -> [String?] {
          let error = await thrown {
            _ = try await StreamConnection.connect(
              host: "", port: port, family: family, interleave: interleave, allErrors: true)
          }
          return try subject.unwrap("list of attempts", error as? ConnectError).attempts.map(\.subject)
        }
        for (name, family) in [("any", AddressFamily.unspecified), ("IPv4", .ipv4), ("IPv6", .ipv6)] {
          let addresses = try await loop.getaddrinfo(host: "", port: port, family: family, type: .stream)
          let expected = addresses.map { "to \($0.address)" as String? }
          for interleave in [nil, 1] {
            let seen = try await attempts(family, interleave)
            try subject.require(seen == expected, "\(name): \(seen) instead of \(expected)")
          }
          subject.saw(name, addresses.count)
        }
      }
    },
    ConformanceCheck(
      81, "What a stream cannot be connected with is refused: the delay first, then interleave", facet: "stream",
      capabilities: .streamSockets,
      deviation: "CPython takes a negative delay for zero and an interleave of 0 for none."
    ) { subject in
      try subject.run { _ in
        let both = await thrown {
          _ = try await StreamConnection.connect(host: "", port: 1, happyEyeballsDelay: .seconds(-1), interleave: 0)
        }
        try subject.expect("both", (both as? EventLoopError)?.code, .invalidArgument)
        try subject.expect("the delay first", "\(both!)".contains("happyEyeballsDelay"))
        let interleave = await thrown { _ = try await StreamConnection.connect(host: "", port: 1, interleave: 0) }
        try subject.expect("interleave", (interleave as? EventLoopError)?.code, .invalidArgument)
      }
    },
  ]
}

/// Return what the body throws.
func thrown(_ body: () async throws -> Void) async -> (any Error)? {
  do {
    try await body()
    return nil
  } catch {
    return error
  }
}

/// Return a port without a listener, in either family.
private func unusedPort(_ subject: ConformanceSubject) async throws -> UInt16 {
  let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
  listener.close()
  return listener.port
}
