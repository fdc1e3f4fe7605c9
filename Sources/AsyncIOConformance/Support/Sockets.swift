internal import AsyncIO
internal import CAsyncIO
internal import CConformance

/// Two connected TCP sockets of the running loop, for a check.
struct TCPPair: Sendable {
  let near: Socket
  let far: Socket

  static func make() async throws -> TCPPair {
    let listener = try await listening()
    defer { listener.close() }
    let near = try Socket(family: .ipv4)
    try await near.connect(to: listener.localAddress!)
    return TCPPair(near: near, far: try await listener.accept())
  }

  /// A socket that listens on the loopback.
  static func listening() async throws -> Socket {
    let listener = try Socket(family: .ipv4)
    try listener.bind(to: loopback(0))
    try listener.listen(backlog: 16)
    return listener
  }

  func close() {
    near.close()
    far.close()
  }
}

/// The loopback with a port.
func loopback(_ port: UInt16) -> SocketAddress { SocketAddress(ipLiteral: "127.0.0.1", port: port)! }

/// Return an unused path.
func temporaryUnixAddress() throws -> SocketAddress {
  try SocketAddress(unixPath: TemporaryName.unused)
}

/// Let the running loop turn: after that, a task that has begun to wait is waiting.
func letTurn(_ count: Int = 5) async throws {
  for _ in 0..<count { try await sleep(for: .zero) }
}

/// Start a task on the running loop.
func startTask<Value: Sendable>(
  _ body: @escaping @Sendable () async throws -> Value
) throws -> Task<Value, any Error> {
  Task(executorPreference: try getRunningLoop().taskExecutor, operation: body)
}

/// Return how a call ended, in a word: "done", a code, the system's error, "cancelled".
func outcome<Value>(_ body: () async throws -> Value) async -> String {
  do {
    _ = try await body()
    return "done"
  } catch {
    return word(for: error)
  }
}

private func word(for error: any Error) -> String {
  switch error {
  case let error as EventLoopError: "\(error.code)"
  case let error as IOError: "\(error.errno)"
  case is CancellationError: "cancelled"
  default: "\(error)"
  }
}

/// Bytes whose values follow from their positions, so that loss, doubling and disorder all show.
package func numbered(_ range: Range<Int>) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(range.count)
  var next = range.lowerBound
  while next < range.upperBound {
    let offset = next % numberPeriod
    let count = min(numberTable.count - offset, range.upperBound - next)
    bytes.append(contentsOf: numberTable[offset..<offset + count])
    next += count
  }
  return bytes
}

/// Return whether the first bytes are those of `numbered` from a position on. Fast even without an optimiser.
func areNumbered(_ bytes: [UInt8], _ count: Int, from start: Int) -> Bool {
  var done = 0
  while done < count {
    let offset = (start + done) % numberPeriod
    let n = min(numberTable.count - offset, count - done)
    let difference = bytes.withUnsafeBytes { bytes in
      numberTable.withUnsafeBytes { memcmp(bytes.baseAddress! + done, $0.baseAddress! + offset, n) }
    }
    if difference != 0 { return false }
    done += n
  }
  return true
}

/// The number of bytes after which the numbers begin anew. A prime number, so that blocks of the usual sizes differ
/// from each other.
package let numberPeriod = 65521

private let numberTable: [UInt8] = (0..<numberPeriod).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
