import AsyncIO
import POSIX

/// Descriptors, signals, graphs and pools.
func probeLoop(_ probe: NumberProbe, _ loop: any EventLoop) async throws {
  // Numbers that nothing is open under; those in use are for other tests.
  let dead: [Int32] = [.min, .min + 1, -1, .max - 1, .max]
  await probe.each("EventLoop.addReader(_:fileID:line:_:)", dead) { try loop.addReader($0) {} }
  await probe.each("EventLoop.addWriter(_:fileID:line:_:)", dead) { try loop.addWriter($0) {} }
  await probe.each("BaseEventLoop.addReader(_:site:_:)", dead) { try loop.addReader($0, site: CallSite()) {} }
  await probe.each("BaseEventLoop.addWriter(_:site:_:)", dead) { try loop.addWriter($0, site: CallSite()) {} }
  await probe.each("BaseEventLoop.removeReader(_:)", dead) { _ = try loop.removeReader($0) }
  await probe.each("BaseEventLoop.removeWriter(_:)", dead) { _ = try loop.removeWriter($0) }

  let signals: [Int32] = [.min, -1, 0, 65, 1 << 16, .max, SIGKILL, SIGSTOP, SIGUSR1, 64]
  await probe.each(
    "EventLoop.addSignalHandler(_:_:)", signals,
    refusing: { !(1...64).contains($0) || $0 == SIGKILL || $0 == SIGSTOP }
  ) { try loop.addSignalHandler($0) {} }
  await probe.each(
    "Inspection.offer(on:)", signals, refusing: { !(1...64).contains($0) || $0 == SIGKILL || $0 == SIGSTOP }
  ) { try Inspection.offer(on: $0) }
  await probe.each("withGracefulStop(on:drain:_:)", Extreme.durations) { value in
    try await withGracefulStop(on: [], drain: value) { $0.request() }
  }
  await probe.each(
    "withGracefulStop(on:drain:_:)", signals, refusing: { !(1...64).contains($0) || $0 == SIGKILL || $0 == SIGSTOP }
  ) { value in try await withGracefulStop(on: [value], drain: nil) { _ in } }
  await probe.each("EventLoop.removeSignalHandler(_:)", signals) { _ = loop.removeSignalHandler($0) }

  let future: Future<Void> = loop.createFuture()
  let waiting = try loop.createTask { try await future.get() }
  try await sleep(for: .zero)
  await probe.each("captureCallGraph(_:limit:)", Extreme.ints) { _ = captureCallGraph(future, limit: $0) }
  await probe.each("formatCallGraph(_:limit:)", Extreme.ints) { _ = formatCallGraph(future, limit: $0) }
  await probe.each("captureCallGraph(limit:)", Extreme.ints) { _ = captureCallGraph(limit: $0) }
  try future.setResult(())
  try await waiting.get()

  await probe.each("ThreadPool.init(maximumThreads:name:)", Extreme.ints) {
    let pool = ThreadPool(maximumThreads: $0)
    _ = try await loop.runInExecutor(pool) { 1 }.get()
    pool.shutDown()
  }
}

/// Run of several loops; each takes the process.
func probeLoops() throws {
  // The runs themselves are not inside one, so their outcomes are collected first.
  let counts = Extreme.ints.filter { $0 != 1 } + [1025, 1, 2]
  var outcomes: [Int: Result<Void, any Error>] = [:]
  for count in counts {
    fact("at", "run(loops:) with \(count)")
    outcomes[count] = Result {
      try AsyncIO.run(loops: count) { group in try await sleep(for: .zero) }
    }
  }
  let all = outcomes
  let probe = NumberProbe()
  try AsyncIO.run(loops: 1) { group in
    await probe.each("run(loops:debug:loopFactory:_:)", counts, refusing: { !(1...1024).contains($0) }) {
      try all[$0]!.get()
    }
    try await probeGroup(probe, group)
  }
  fact("at", "the end")
}

private func probeGroup(_ probe: NumberProbe, _ group: LoopGroup) async throws {
  await probe.each("LoopGroup.run(on:_:)", Extreme.ints, refusing: { $0 != 0 }) { value in
    _ = try await group.run(on: value) { 1 }
  }
  func tooSmall(_ value: Int32) -> Bool { value < 1 }
  await probe.each(
    "StreamListener.bind(host:port:sharedBy:tls:family:backlog:reuseAddress:keepAlive:startServing:)", Extreme.int32s,
    refusing: tooSmall
  ) { value in try await StreamListener.bind(host: "127.0.0.1", port: 0, sharedBy: group, backlog: value).close() }
  await probe.each(
    "EventLoop.createServer(host:port:sharedBy:tls:family:flags:backlog:reuseAddress:keepAlive:startServing:_:)",
    Extreme.int32s, refusing: tooSmall
  ) { value in
    try await getRunningLoop().createServer(host: "127.0.0.1", port: 0, sharedBy: group, backlog: value) { Silent() }
      .close()
  }
  await probe.each("DatagramEndpoint.bind(host:port:sharedBy:family:broadcast:)", Extreme.ports) { value in
    try await DatagramEndpoint.bind(host: "127.0.0.1", port: value, sharedBy: group).close()
  }
}

private final class Silent: StreamProtocol {
  func dataReceived(_ bytes: RawSpan) throws {}
}
