internal import AsyncIO

extension ConformanceSuite {
  /// Group A, the child of a fork.
  static let forkChecks: [ConformanceCheck] = [
    ConformanceCheck(
      17, "The child of a fork has no running loop, no task and no current loop, and runs a new one",
      surroundings: [.ownProcess, .forks],
      deviation: "CPython before 3.12 leaves the parent's current loop to the child."
    ) { subject in
      let policy = ObservedPolicy(subject, creation: .never)
      setEventLoopPolicy(policy)
      let loop = try newEventLoop()
      setEventLoop(loop)
      let child = Box<String?>(nil)
      try loop.callSoon {
        child.value = try Process.inFork { try whatIsLeft(factory: subject.factory) }
        loop.stop()
      }
      try loop.runForever()
      try subject.expect("child", child.value ?? "died", "running none, current none, task none, own loop ran")
      try subject.expect("parent's current loop", try getEventLoop() === loop)
    },
    ConformanceCheck(
      17, "A child that returns into its parent's run gets an error, and the parent's connections and servers go on",
      facet: "return", capabilities: [.streamSockets, .systemDescriptors], surroundings: [.ownProcess, .forks]
    ) { subject in
      let loop = try subject.makeLoop()
      let (fork, childError) = (OpenFork(), Box<String?>(nil))
      do {
        try loop.run {
          let pair = try await subject.probedPair(loop)
          let connection = try await subject.probedConnection(loop)
          guard try fork.fork() else { return try await sleep(for: .zero) }
          try subject.expect("child", fork.waitForChild(), 0)
          pair.sockets.write(4, to: pair.peer)
          try connection.client.transport?.write([5])
          try await subject.turn("bytes for the parent") {
            pair.probe.received.count == 4 && connection.served.received == [5]
          }
          _ = try await loop.createConnection(host: "127.0.0.1", port: try subject.port(of: connection.server)) {
            StreamProbe()
          }
          try subject.expect("calls", pair.probe.trail, "made data")
          connection.client.transport?.close()
          connection.server.close()
        }
      } catch let error as EventLoopError where fork.isChild {
        childError.value = "\(error.code)"
      }
      if fork.isChild {
        fork.endChild {
          try loop.close()
          try subject.expect("the child's error", childError.value, "invalidState")
        }
      }
    },
    ConformanceCheck(
      17, "The child of a fork can run a loop that its parent has made, and the parent's own runs do not notice",
      facet: "made", capabilities: [.streamSockets, .systemDescriptors], surroundings: [.ownProcess, .forks]
    ) { subject in
      let loop = try subject.makeLoop()
      let (inherited, own) = (try subject.socketPair(), try subject.socketPair())
      func serve(_ sockets: SocketPair) throws -> Trail {
        try loop.run {
          let (transport, probe) = try await loop.connectAcceptedSocket(sockets.near) { StreamProbe() }
          sockets.release(sockets.near)
          sockets.write(3, to: sockets.far)
          try await subject.turn("bytes") { probe.received.count == 3 }
          transport.close()
          try await subject.turn("the end") { probe.isLost }
          return probe.trail
        }
      }
      let watched = try subject.socketPair()
      let (seen, fork) = (Box(0), OpenFork())
      try loop.addReader(watched.near) {
        _ = watched.read(from: watched.near)
        seen.update { $0 += 1 }
        loop.stop()
      }
      let isParent = try fork.fork()
      if !isParent {
        fork.endChild {
          try subject.expect("child", try serve(inherited), "made data lost")
          _ = try loop.removeReader(watched.near)
          try loop.close()
        }
      }
      try subject.expect("child", fork.waitForChild(), 0)
      watched.write(1, to: watched.far)
      try loop.runForever()
      try subject.expect("watched", seen.value, 1)
      try subject.expect("parent", try serve(own), "made data lost")
      _ = try loop.removeReader(watched.near)
    },
  ]
}

/// Return what the child of a fork, made in a callback of a running loop, has of its parent.
private func whatIsLeft(factory: () throws -> any EventLoop) throws -> String {
  let running = (try? getRunningLoop()) == nil ? "none" : "some"
  let current = (try? getEventLoop()) == nil ? "none" : "some"
  let task = withUnsafeCurrentTask { $0 == nil } ? "none" : "some"
  let loop = try factory()
  let ran = Box(false)
  try loop.callSoon {
    ran.value = try getRunningLoop() === loop
    loop.stop()
  }
  try loop.runForever()
  try loop.close()
  return "running \(running), current \(current), task \(task), own loop \(ran.value ? "ran" : "did not run")"
}
