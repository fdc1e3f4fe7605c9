import AsyncIO
import POSIX

/// Processes to look at. Each says "ready" when it is in the state that its name says, and ends with its input.
nonisolated(unsafe) let inspectionCases: [String: () throws -> Void] = [
  "inspect-hanging-callback": {
    try AsyncIO.run {
      try getRunningLoop().callSoon { readyUntilEnd() }
      try await sleep(for: .seconds(3600))
    }
  },
  "inspect-hanging-task": {
    try AsyncIO.run {
      try await getRunningLoop().createTask(name: "culprit") { readyUntilEnd() }.get()
    }
  },
  "inspect-hanging-handler": {
    try AsyncIO.run {
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let client = try getRunningLoop().createTask(name: "client") {
        let connection = try await StreamConnection.connect(to: listener.addresses[0])
        fact("client", connection.localAddress!)
        return try await connection.readToEnd()
      }
      try getRunningLoop().createTask { try await listener.serve { _ in readyUntilEnd() } }
      _ = try await client.get()
    }
  },
  "inspect-many": {
    try AsyncIO.run {
      let loop = try getRunningLoop()
      for number in 0..<5000 { try loop.createTask(name: "sleeper \(number)") { try await sleep(for: .seconds(3600)) } }
      // All of them have begun to sleep.
      try await sleep(for: .zero)
      try await sleep(for: .zero)
      try await readyUntilInputEnds()
    }
  },
  "inspect-works": { try AsyncIO.run { try await InspectedWork().run() } },
  "inspect-idle": { try AsyncIO.run { try await readyUntilInputEnds() } },
  "inspect-late": {
    try AsyncIO.run {
      fact("path", try Inspection.offer())
      fact("again", try Inspection.offer())
      try await readyUntilInputEnds()
      Inspection.withdraw()
    }
  },
  "inspect-as-another-user": {
    let path = try Inspection.offer()
    let directory = path.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    // As if the rights on files meant nothing, which holds on some systems.
    chmod(directory, 0o777)
    chmod(path, 0o777)
    seteuid(65534)
    defer {
      seteuid(0)
      chmod(directory, 0o700)
    }
    try AsyncIO.run {
      let client = try await StreamConnection.connect(unixPath: path)
      try? await client.write("snapshot\n")
      do { fact("answer", try await client.readToEnd().count) } catch { fact("answer", "an error") }
    }
  },
  "inspect-no-loop": {
    try Inspection.offer()
    readyUntilEnd()
  },
]

/// Say "ready", and block the thread until the input ends.
private func readyUntilEnd() {
  fact("ready", getpid())
  var byte: UInt8 = 0
  while read(STDIN_FILENO, &byte, 1) != 0 {}
  exit(0)
}

/// Say "ready", and let the loop run until the input ends.
private func readyUntilInputEnds() async throws {
  fact("ready", getpid())
  let input = try PipeReader(owning: dup(STDIN_FILENO))
  defer { input.close() }
  _ = try await input.readToEnd()
  exit(0)
}

/// One of everything that a report lists.
private struct InspectedWork {
  func run() async throws {
    let loop = try getRunningLoop()
    let lock = AsyncLock()
    try loop.createTask(name: "holder") {
      try await lock.withLock { try await sleep(for: .seconds(3600)) }
    }
    try await sleep(for: .zero)
    for name in ["first", "second"] { try loop.createTask(name: name) { try await lock.withLock {} } }
    let awaited = try loop.createTask(name: "awaited") { try await sleep(for: .seconds(3600)) }
    try loop.createTask(name: "awaiting") { try await awaited.get() }
    try loop.callLater(.seconds(1000)) {}
    // Slower than a callback may be.
    try loop.callSoon { usleep(120_000) }
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    fact("port", listener.port)
    try loop.createTask(name: "server") {
      try await listener.serve { connection in
        try await connection.forEachChunk { bytes in try await connection.write(bytes) }
      }
    }
    let client = try await StreamConnection.connect(to: listener.addresses[0])
    try await client.write([UInt8](repeating: 1, count: 1000))
    _ = try await client.readExactly(1000)
    try loop.createTask(name: "reader") { _ = try await client.read(upTo: 1) }
    let child = try await ChildProcess.spawn("sleep", ["3600"], standardInput: .null)
    fact("child", child.processIdentifier)
    let busy: Future<Void> = try loop.runInExecutor { while true { usleep(1_000_000) } }
    // Two turns later everything waits.
    for _ in 0..<4 { try await sleep(for: .zero) }
    // The child ends with its owner, and its owner with the input.
    fact("ready", getpid())
    let input = try PipeReader(owning: dup(STDIN_FILENO))
    _ = try await input.readToEnd()
    try child.kill()
    _ = try await child.wait()
    withExtendedLifetime((busy, client)) { exit(0) }
  }
}
