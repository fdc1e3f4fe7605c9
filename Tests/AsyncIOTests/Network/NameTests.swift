import Testing

@testable import AsyncIO

/// Look-ups of names: lines 71 and 148 of the conformance list.
// One after the other: the threads for names are few, and some of these hold four of them and wait for one more.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct NameTests {
  /// A resolver that waits for a gate.
  private func slow(_ gate: Gate, asked: Recorder<AddressQuery> = Recorder()) -> NameService {
    NameService(addresses: { query in
      asked.record(query)
      gate.wait()
      return [AddressInfo(SocketAddress(ipLiteral: "127.0.0.1", port: 1)!)]
    })
  }

  @Test("148: literals use no thread; names do", arguments: LoopKind.allCases)
  func literals(kind: LoopKind) async throws {
    try await kind.run { loop in
      let asked = Recorder<AddressQuery>()
      let threads = Recorder<Bool>()
      loop.nameService = NameService(
        addresses: { query in
          asked.record(query)
          threads.record(LoopIntake.running == nil)
          return [AddressInfo(SocketAddress(ipLiteral: "127.0.0.9", port: 9)!)]
        },
        names: { _, _ in
          threads.record(LoopIntake.running == nil)
          return NameInfo(host: "name", service: "service")
        })
      for host in ["127.0.0.1", "::1", "", nil] {
        #expect(try await !loop.getaddrinfo(host: host, port: 80).isEmpty)
        #expect(try await !loop.getaddrinfo(host: host, port: "80", flags: .passive).isEmpty)
      }
      let address = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 80))
      let digits = try await loop.getnameinfo(address, flags: [.numericHost, .numericService])
      #expect(digits == NameInfo(host: "127.0.0.1", service: "80"))
      #expect(asked.all == [] && threads.all == [])
      let found = try await loop.getaddrinfo(host: "name", port: 7, type: .stream)
      #expect(found.map(\.address.description) == ["127.0.0.9:9"])
      #expect(asked.all.map(\.host) == ["name"] && asked.all.map(\.service) == ["7"])
      #expect(try await loop.getnameinfo(address).host == "name")
      #expect(threads.all == [true, true])
    }
  }

  @Test("Literals are answered as the system does", arguments: ["127.0.0.1", "::1", "fe80::1", "0.0.0.0"])
  func asTheSystem(host: String) throws {
    for type in [SocketType.unspecified, .stream, .datagram, .raw] {
      for proto in [0, 6, 17] as [Int32] {
        var query = AddressQuery(host: host, service: "80")
        (query.type, query.proto) = (type, proto)
        guard let found = try Literals.addresses(Literals.read(query)) else { continue }
        #expect(try SystemNames.addresses(query) == found, "\(query)")
      }
    }
  }

  @Test("Services have names, results types, and bad input errors that name it", arguments: LoopKind.allCases)
  func answers(kind: LoopKind) async throws {
    try await kind.run { loop in
      let web = try await loop.getaddrinfo(host: "127.0.0.1", port: "http", type: .stream)
      #expect(web.map(\.address.description) == ["127.0.0.1:80"])
      #expect(web[0].family == .ipv4 && web[0].type == .stream && web[0].proto == 6)
      let named = try await loop.getaddrinfo(host: "localhost", port: nil, family: .ipv4, flags: .canonicalName)
      #expect(named.first?.address.host == "127.0.0.1" && named.first?.canonicalName != nil)
      let v6 = try await loop.getaddrinfo(host: nil, port: 1, family: .ipv6, flags: .passive)
      #expect(Set(v6.map(\.address.host)) == ["::"])
      let back = try await loop.getnameinfo(try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 80)))
      #expect(back.service == "http")
      for (host, port) in [("127.0.0.1", "no-such-service"), ("with\0nul", "1"), ("a", "with\0nul")] {
        let error = try await failure(ResolutionError.self) { _ = try await loop.getaddrinfo(host: host, port: port) }
        #expect([host, port].contains(error.host), "\(error)")
      }
    }
  }

  @Test("148: look-ups are not starved by other work in threads", arguments: LoopKind.allCases)
  func notStarved(kind: LoopKind) async throws {
    try await kind.run { loop in
      let gate = Gate()
      let pool = ThreadPool(maximumThreads: 1)
      loop.setDefaultExecutor(pool)
      let work = try (0..<4).map { _ in try loop.runInExecutor { gate.wait() } }
      #expect(try await !loop.getaddrinfo(host: "localhost", port: 1).isEmpty)
      #expect(work.allSatisfy { !$0.isDone })
      gate.open()
      for future in work { try await future.get() }
      pool.shutDown()
    }
  }

  @Test("A resolver that never answers: the loop goes on, who waits can be cancelled", arguments: LoopKind.allCases)
  func neverAnswers(kind: LoopKind) async throws {
    try await kind.run { loop in
      let gate = Gate()
      defer { gate.open() }
      let asked = Recorder<AddressQuery>()
      loop.nameService = slow(gate, asked: asked)
      let tasks = try [
        loop.createTask { _ = try await StreamConnection.connect(host: "silent", port: 1) },
        loop.createTask { _ = try await StreamListener.bind(host: "silent", port: 0) },
        loop.createTask { _ = try await loop.getaddrinfo(host: "silent", port: 1) },
        loop.createTask {
          _ = try await StreamConnection.connect(host: "127.0.0.1", port: 1, localHost: "silent")
        },
      ]
      try await turnUntil { asked.all.count == 4 }
      for _ in 0..<3 { try await sleep(for: .milliseconds(1)) }
      #expect(tasks.allSatisfy { !$0.isDone })
      for task in tasks {
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.get() }
      }
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.milliseconds(1)) { _ = try await StreamConnection.connect(host: "silent", port: 1) }
      }
      #expect(loop.connects == 0)
    }
  }

  @Test("147: an answer that comes after the close is thrown away in silence", arguments: LoopKind.allCases)
  func closedMeanwhile(kind: LoopKind) async throws {
    let (gate, ended) = (Gate(), Gate())
    let codes = Recorder<String>()
    let (log, asked) = try await kind.withLoop { loop in
      let log = CapturedLog(of: loop)
      let asked = Recorder<AddressQuery>()
      loop.nameService = slow(gate, asked: asked)
      Task(executorPreference: loop.taskExecutor) {
        do {
          _ = try await StreamConnection.connect(host: "silent", port: 1)
        } catch {
          codes.record((error as? EventLoopError).map { "\($0.code)" } ?? "\(error)")
        }
        ended.open()
      }
      func look() throws {
        if asked.all.count == 1 { return loop.stop() }
        try loop.callLater(.microseconds(100)) { try look() }
      }
      try look()
      try loop.runForever()
      try loop.close()
      return (log, asked)
    }
    gate.open()
    try await inThread { ended.wait() }
    #expect(asked.all.count == 1 && codes.all == ["closed"])
    #expect(log.messages == [])
  }

  @Test("A closed loop looks nothing up")
  func closedLoop() async throws {
    let loop = try SelectorEventLoop()
    try loop.close()
    for host in ["127.0.0.1", "localhost"] {
      let error = try await failure(EventLoopError.self) { _ = try await loop.getaddrinfo(host: host, port: 1) }
      #expect(error.code == .closed)
    }
    let address = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 1))
    let error = try await failure(EventLoopError.self) { _ = try await loop.getnameinfo(address) }
    #expect(error.code == .closed)
  }

  @Test("A slow look-up is logged in debug mode", arguments: LoopKind.allCases)
  func slowLookUp(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    defer { try? loop.close() }
    let log = CapturedLog(of: loop)
    let answers = Gate()
    answers.open()
    loop.nameService = slow(answers)
    try await loop.run { _ = try await loop.getaddrinfo(host: "quick", port: 1) }
    loop.isDebug = true
    loop.slowCallbackDuration = .zero
    try await loop.run { _ = try await loop.getaddrinfo(host: "slow", port: 1) }
    let lines = log.messages.filter { $0.contains("getaddrinfo") }
    #expect(lines.count == 1 && lines[0].hasPrefix("getaddrinfo(slow:1) took"), "\(lines)")
  }
}
