import AsyncIO
import Testing

@testable import AsyncIOSimulation

/// What a tester says about a world, and what the world answers.
@Suite(.timeLimit(.minutes(5)))
struct TesterTests {
  @Test("eventually: goes on when it holds, and fails when its time is over")
  func eventually() async throws {
    let holds = await playOne { world in
      try await world.eventually("a minute has passed") { world.now >= .seconds(60) }
      #expect(world.now >= .seconds(60) && world.now < .seconds(62))
    }
    #expect(holds.failure == nil)
    let never = await playOne { world in
      try await world.eventually("pigs fly", within: .seconds(10)) { false }
    }
    let failure = try #require(never.failure)
    #expect(failure.kind == .never && failure.time >= .seconds(10) && failure.time < .seconds(12))
    #expect(failure.message.contains("\"pigs fly\" did not come to hold within 10.0 seconds"))
    let throwing = await playOne { world in try await world.eventually("x") { throw PeerGone() } }
    #expect(throwing.failure?.kind == .thrown)
  }

  @Test("always: is checked after each turn, from its call on")
  func always() async throws {
    let outcome = await playOne { world in
      let value = Kept(5)
      value.value = 0
      world.always("it stays small") { value.value < 3 }
      for _ in 0..<10 {
        try await AsyncIO.sleep(for: .seconds(1))
        value.value += 1
      }
    }
    #expect(outcome.failure?.kind == .invariant)
    #expect(outcome.failure?.message == "\"it stays small\" does not hold any more")
    #expect((outcome.failure?.time).map { $0 >= .seconds(3) && $0 < .seconds(4) } == true)
    let brief = await playOne { world in
      let value = Kept(0)
      world.always("it is 0 between turns") { value.value == 0 }
      value.value = 1
      value.value = 0
      await Task.yield()
    }
    #expect(brief.failure == nil)
  }

  @Test("require, fail and errors say what and where")
  func failing() async throws {
    let required = await playOne { world in
      try world.require(1 + 1 == 2, "never told")
      try world.require(1 + 1 == 3, "sums are wrong")
    }
    #expect(required.failure?.message == "sums are wrong (AsyncIOTests/TesterTests.swift:\(#line - 2))")
    let failed = await playOne { world in
      world.fail("enough")
      world.fail("more than enough")
      try await AsyncIO.sleep(for: .seconds(10))
    }
    #expect(failed.failure?.kind == .invariant && failed.failure?.message == "enough")
    #expect((failed.failure?.time ?? .seconds(9)) < .seconds(1))
    let thrown = await playOne { _ in throw PeerGone() }
    #expect(thrown.failure?.kind == .thrown && thrown.failure?.message.contains("PeerGone") == true)
    let program = await playOne { world in
      world.host("a").start("clerk") { throw PeerGone() }
      try await AsyncIO.sleep(for: .seconds(1))
    }
    #expect(program.failure?.kind == .thrown && program.failure?.message.contains("clerk on a threw") == true)
  }

  @Test("A requirement in the handler of a connection fails the scenario")
  func handlers() async throws {
    let outcome = await playOne { world in
      let server = world.host("server")
      server.start {
        try await StreamListener.bind(host: server.addresses[1], port: 80).serve { _ in
          try world.require(false, "not in my house")
        }
      }
      try await world.host("client").run {
        try await AsyncIO.sleep(for: .seconds(1))
        let connection = try await StreamConnection.connect(host: server.addresses[1], port: 80)
        _ = try? await connection.read(upTo: 1)
        connection.close()
      }
      try await AsyncIO.sleep(for: .seconds(1))
    }
    #expect(outcome.failure?.kind == .invariant)
    #expect(outcome.failure?.message.hasPrefix("not in my house") == true)
  }

  @Test("Notes are in the trace, and count for its hash")
  func notes() async throws {
    let one = await playOne { world in
      world.note("here I am")
      world.fail("stop")
      await Task.yield()
    }
    #expect(one.failure?.trace.contains { $0.hasSuffix("note: here I am") } == true)
    let hashes = await [
      playOne { $0.note("a") }.traceHash, playOne { $0.note("b") }.traceHash, playOne { $0.note("a") }.traceHash,
    ]
    #expect(hashes[0] != hashes[1] && hashes[0] == hashes[2])
  }

  @Test(
    "A deadlock names the sockets and tasks that wait, with weather or without", arguments: [FaultPlan.none, .hostile])
  func deadlock(plan: FaultPlan) async throws {
    var plan = plan
    plan.isSwarm = false
    let outcome = await playOne(faults: plan.only([.partitions, .clogs, .oneWayPartitions])) { world in
      let (a, b) = try await world.connected(world.host("client"), world.host("server"))
      let reader = try world.loop.createTask(name: "the reader") { try await a.read(upTo: 1) }
      _ = try await b.read(upTo: 1)
      _ = try await reader.get()
    }
    let failure = try #require(outcome.failure)
    #expect(failure.kind == .deadlock)
    for part in ["client socket", "10.0.0.1:", "to 10.0.0.2:80", "task the reader has not ended", "the scenario"] {
      #expect(failure.message.contains(part), "\(failure.message)")
    }
  }

  @Test("More time than is allowed is a livelock")
  func timeLimit() async throws {
    var options = CampaignOptions()
    options.timeLimit = .seconds(100)
    let outcome = await playOne(options: options) { _ in
      while true { try await AsyncIO.sleep(for: .seconds(1)) }
    }
    #expect(outcome.failure?.kind == .livelock)
    #expect((outcome.failure?.time).map { $0 > .seconds(100) && $0 < .seconds(102) } == true)
  }

  @Test("Sockets and tasks that are left are a leak, reported by name")
  func leaks() async throws {
    let box = Kept<[StreamConnection]>([])
    let socket = await playOne { world in
      let (a, b) = try await world.connected(world.host("client"), world.host("server"))
      box.value.append(a)
      b.close()
    }
    #expect(socket.failure?.kind == .leak)
    #expect(socket.failure?.message.contains("client socket 16777217 10.0.0.1:49152 to 10.0.0.2:80") == true)
    let task = await playOne { world in
      _ = try world.loop.createTask(name: "left over") { while true { try? await Task.sleep(for: .seconds(1)) } }
    }
    #expect(task.failure?.kind == .leak && task.failure?.message.contains("task left over") == true)
    // What ends by itself, or with its program, is none.
    let fine = await playOne { world in
      world.host("a").start { try await AsyncIO.sleep(for: .seconds(1_000_000)) }
      _ = try world.loop.createTask(name: "ends") { try await AsyncIO.sleep(for: .seconds(60)) }
      let (a, b) = try await world.connected(world.host("client"), world.host("server"))
      a.close()
      b.close()
    }
    #expect(fine.failure == nil)
    box.value = []
  }

  @Test("A task that does not end does not go on outside of its world")
  func spinning() async throws {
    let turns = Recorder<Void>()
    let outcome = await playOne { world in
      world.turnLimit = 100
      Task { while true { try? await Task.sleep(for: .milliseconds(1)) } }
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          while true {
            turns.record(())
            await Task.yield()
          }
        }
        try await group.waitForAll()
      }
    }
    #expect(outcome.failure?.kind == .livelock)
    let count = turns.all.count
    for _ in 0..<1000 { try await inThread { yieldProcessor() } }
    #expect(turns.all.count == count)
  }

  @Test("Hosts are found by their names, and have addresses of their own")
  func hosts() async throws {
    let outcome = await playOne { world in
      let (a, b) = (world.host("a"), world.host("b"))
      #expect(world.host("a") === a && a !== b && Set(a.addresses).isDisjoint(with: b.addresses))
      let (client, server) = try await world.connected(a, b)
      #expect(client.localAddress?.host == a.addresses[1] && server.peerAddress == client.localAddress)
      #expect(client.peerAddress?.host == b.addresses[1] && server.localAddress == client.peerAddress)
      client.close()
      server.close()
      await #expect(throws: ResolutionError.self) { try await StreamConnection.connect(host: "nobody", port: 1) }
    }
    #expect(outcome.failure == nil)
  }
}
