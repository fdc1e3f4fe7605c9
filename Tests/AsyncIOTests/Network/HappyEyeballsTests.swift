import SystemPackage
import Testing

@testable import AsyncIO

/// Names with several addresses: lines 77 to 81 of the conformance list. The addresses come from a resolver of the
/// test; one that hangs is a listener with a full queue.
@Suite(.timeLimit(.minutes(5)))
struct HappyEyeballsTests {
  private let long = Duration.seconds(3600)

  /// The addresses of the name "many".
  private func answer(_ addresses: [SocketAddress], on loop: BaseEventLoop) {
    loop.nameService = NameService(addresses: { _ in addresses.map { AddressInfo($0) } })
  }

  @Test("79: a black-holed first address costs the delay, and its socket is closed", arguments: LoopKind.allCases)
  func blackHole(kind: LoopKind) async throws {
    try await kind.run { loop in
      let full = try FullListener()
      let live = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { live.close() }
      answer([full.address, full.address, live.addresses[0]], on: loop)
      let before = loop.attachedNumbers
      let start = loop.time()
      let client = try await StreamConnection.connect(
        host: "many", port: 1, happyEyeballsDelay: .milliseconds(10))
      #expect(client.peerAddress == live.addresses[0])
      #expect(start.duration(to: loop.time()) >= .milliseconds(20), "two addresses had their time")
      #expect(loop.attachedNumbers.subtracting(before) == [client.descriptor.fileDescriptor], "losers are closed")
      #expect(loop.scheduledTimerCount == 0)
      client.close()
    }
  }

  @Test("79: a failure does not wait for the delay", arguments: LoopKind.allCases)
  func failureGoesOn(kind: LoopKind) async throws {
    try await kind.run { loop in
      let live = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { live.close() }
      let dead = try await unusedAddresses(2)
      answer(dead + live.addresses, on: loop)
      let client = try await StreamConnection.connect(host: "many", port: 1, happyEyeballsDelay: long)
      #expect(client.peerAddress == live.addresses[0])
      #expect(loop.scheduledTimerCount == 0)
      client.close()
    }
  }

  @Test("79: without a delay the addresses are tried one after the other", arguments: LoopKind.allCases)
  func oneAfterTheOther(kind: LoopKind) async throws {
    try await kind.run { loop in
      let full = try FullListener()
      let live = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { live.close() }
      answer([full.address] + live.addresses, on: loop)
      let task = try loop.createTask { try await StreamConnection.connect(host: "many", port: 1) }
      try await turnUntil { loop.connects == 1 }
      for _ in 0..<10 { try await sleep(for: .zero) }
      #expect(loop.connects == 1 && loop.scheduledTimerCount == 0)
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.get() }
      #expect(loop.connects == 0)
    }
  }

  @Test("77: a cancelled race ends all its attempts and the timer", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await kind.run { loop in
        let full = try FullListener()
        let addresses = Array(repeating: full.address, count: 4)
        loop.nameService = NameService(addresses: { _ in addresses.map { AddressInfo($0) } })
        let before = LiveCounters.snapshot["descriptors"]
        for wanted in 1...4 {
          let delay: Duration = wanted == 4 ? .milliseconds(1) : .milliseconds(wanted == 1 ? 1_000_000 : 5)
          let task = try loop.createTask {
            try await StreamConnection.connect(host: "many", port: 1, happyEyeballsDelay: delay)
          }
          try await turnUntil { loop.connects >= wanted }
          task.cancel()
          await #expect(throws: CancellationError.self) { try await task.get() }
          #expect(loop.connects == 0 && loop.scheduledTimerCount == 0)
          let cancelled = try loop.createTask {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await StreamConnection.connect(host: "many", port: 1)
          }
          await #expect(throws: CancellationError.self) { try await cancelled.get() }
        }
        try await turnUntil { LiveCounters.snapshot["descriptors"] == before }
      }
    }
  }

  @Test("A loop that is closed ends the race with code closed", arguments: LoopKind.allCases)
  func closedLoop(kind: LoopKind) async throws {
    let full = try FullListener()
    let outcome = Gate()
    let codes = Recorder<EventLoopError.Code?>()
    try await kind.withLoop { loop in
      answer(Array(repeating: full.address, count: 3), on: loop)
      let task = try loop.createTask {
        do {
          _ = try await StreamConnection.connect(host: "many", port: 1, happyEyeballsDelay: .milliseconds(1))
        } catch {
          codes.record((error as? EventLoopError)?.code)
        }
        outcome.open()
      }
      func look() throws {
        if loop.connects >= 2 { return loop.stop() }
        try loop.callLater(.microseconds(100)) { try look() }
      }
      try look()
      try loop.runForever()
      try loop.close()
      outcome.wait()
      _ = task
    }
    #expect(codes.all == [.closed])
  }

  @Test("78: the error lists every attempt, in order", arguments: LoopKind.allCases)
  func errors(kind: LoopKind) async throws {
    try await kind.run { loop in
      let dead = try await unusedAddresses(3)
      answer(dead, on: loop)
      for delay in [nil, Duration.milliseconds(1)] {
        let error = try await failure(ConnectError.self) {
          _ = try await StreamConnection.connect(host: "many", port: 1, happyEyeballsDelay: delay)
        }
        #expect(error.host == "many")
        #expect(error.attempts.map(\.subject) == dead.map { "to \($0)" })
        #expect(error.attempts.allSatisfy { $0.errno == .connectionRefused })
      }
    }
  }

  @Test("78: one error is thrown itself, equal ones once; allErrors lists them all", arguments: LoopKind.allCases)
  func mergedErrors(kind: LoopKind) async throws {
    try await kind.run { loop in
      let dead = try await unusedAddresses(1)
      for addresses in [dead, dead + dead] {
        answer(addresses, on: loop)
        let single = try await failure(IOError.self) {
          _ = try await StreamConnection.connect(host: "many", port: 1)
        }
        #expect(single.subject == "to \(dead[0])")
        let listed = try await failure(ConnectError.self) {
          _ = try await StreamConnection.connect(host: "many", port: 1, allErrors: true)
        }
        #expect(listed.attempts.count == addresses.count)
      }
      answer([], on: loop)
      let none = try await failure(ResolutionError.self) {
        _ = try await StreamConnection.connect(host: "many", port: 1)
      }
      #expect(none.host == "many")
    }
  }

  @Test("80: families take turns, the first one has so many turns at first")
  func interleaving() throws {
    func addresses(_ hosts: [String]) -> [AddressInfo] {
      hosts.map { AddressInfo(SocketAddress(ipLiteral: $0, port: 1)!) }
    }
    let mixed = ["::1", "::2", "::3", "::4", "10.0.0.1", "10.0.0.2"]
    func order(_ hosts: [String], _ count: Int) -> [String?] {
      Connector.interleaved(addresses(hosts), first: count).map(\.address.host)
    }
    #expect(order(mixed, 1) == ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3", "::4"])
    #expect(order(mixed, 2) == ["::1", "::2", "10.0.0.1", "::3", "10.0.0.2", "::4"])
    #expect(order(mixed, 9) == mixed)
    #expect(order(["10.0.0.1", "::1", "10.0.0.2"], 1) == ["10.0.0.1", "::1", "10.0.0.2"])
    #expect(order(["10.0.0.1"], 1) == ["10.0.0.1"])
    #expect(order([], 3) == [])
  }

  @Test("80: attempts follow the interleaved order; without it the resolver's", arguments: LoopKind.allCases)
  func attemptOrder(kind: LoopKind) async throws {
    try await kind.run { loop in
      let v4 = try await unusedAddresses(2)
      // Whatever this machine says to a connect to these, it says it at once.
      let v6 = try [1, 2].map { try #require(SocketAddress(ipLiteral: "::1", port: $0)) }
      answer(v4 + v6, on: loop)
      func attempts(_ interleave: Int?, _ delay: Duration?) async throws -> [String?] {
        let error = try await failure(ConnectError.self) {
          _ = try await StreamConnection.connect(
            host: "many", port: 1, happyEyeballsDelay: delay, interleave: interleave)
        }
        return error.attempts.map { $0.subject.map { String($0.trimmingPrefix("to ")) } }
      }
      #expect(try await attempts(nil, nil) == (v4 + v6).map(\.description))
      let turns = [v4[0], v6[0], v4[1], v6[1]].map(\.description)
      #expect(try await attempts(1, nil) == turns)
      #expect(try await attempts(nil, long) == turns)
      #expect(try await attempts(2, long) == [v4[0], v4[1], v6[0], v6[1]].map(\.description))
    }
  }

  @Test("81: a negative delay and an interleave below 1 are refused, in this order", arguments: LoopKind.allCases)
  func arguments(kind: LoopKind) async throws {
    try await kind.run { _ in
      let first = try await failure(EventLoopError.self) {
        _ = try await StreamConnection.connect(
          host: "no.such.host.invalid", port: 1, happyEyeballsDelay: .seconds(-1), interleave: 0)
      }
      #expect(first.code == .invalidArgument && first.description.contains("happyEyeballsDelay is -1"))
      let second = try await failure(EventLoopError.self) {
        _ = try await StreamConnection.connect(host: "no.such.host.invalid", port: 1, interleave: 0)
      }
      #expect(second.code == .invalidArgument && second.description.contains("interleave is 0"))
    }
  }

  @Test("A local address of no fitting family is an error that says so", arguments: LoopKind.allCases)
  func localFamilies(kind: LoopKind) async throws {
    try await kind.run { _ in
      let live = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      defer { live.close() }
      let wrong = try await failure(IOError.self) {
        _ = try await StreamConnection.connect(host: "127.0.0.1", port: live.port, localHost: "::1")
      }
      #expect(wrong.errno == .addressFamilyNotSupported)
      #expect(wrong.description.contains("[::1]:0 to connect to 127.0.0.1:\(live.port)"), "\(wrong)")
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: live.port, localHost: "127.0.0.2")
      #expect(client.localAddress?.host == "127.0.0.2")
      client.close()
      #expect(try await connectFromFreePort(to: live.port), "a port without a host")
      let family = try await failure(ResolutionError.self) {
        _ = try await StreamConnection.connect(host: "127.0.0.1", port: live.port, family: .ipv6)
      }
      #expect(family.description.contains("IPv4, not of IPv6"), "\(family)")
    }
  }
}

/// Connect from a port that was free a moment ago, and again if it is not any more. Returns `true` if it was that port.
private func connectFromFreePort(to port: UInt16) async throws -> Bool {
  var attempts = 0
  while true {
    attempts += 1
    let holder = try await StreamListener.bind(host: "0.0.0.0", port: 0)
    let free = holder.port
    holder.close()
    do {
      let connection = try await StreamConnection.connect(host: "127.0.0.1", port: port, localPort: free)
      defer { connection.close() }
      return connection.localAddress?.port == free
    } catch let error as IOError where error.errno == .addressInUse && attempts < 20 {
    }
  }
}

extension BaseEventLoop {
  /// The numbers in the loop's care. As many as there are: other tests may have thousands of files open.
  var attachedNumbers: Set<Int32> {
    let slots = (backend as? SelectorBackend)?.slots ?? (backend as? ProactorBackend)?.slots ?? []
    return Set(slots.indices.lazy.filter { slots[$0] != nil }.map { Int32($0) })
  }

  /// How many attempts to connect are under way.
  var connects: Int {
    attachedNumbers.count { number in
      guard let descriptor = backend.attached(number), !descriptor.isListening else { return false }
      let writing = descriptor.stream?.pointee.writing ?? (backend is SelectorBackend ? descriptor.writing : nil)
      return writing?.takeUnretainedValue().kind == .connect
    }
  }
}

/// Addresses of the loopback where nobody listens.
func unusedAddresses(_ count: Int) async throws -> [SocketAddress] {
  var listeners: [StreamListener] = []
  for index in 1...count { listeners.append(try await .bind(host: "127.0.0.\(index)", port: 0)) }
  for listener in listeners { listener.close() }
  return listeners.map { $0.addresses[0] }
}
