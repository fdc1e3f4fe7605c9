// What a connection holds that has echoed one message and does nothing: blocks and bytes of the heap.
//
// The aim of it is the memory of the connection's task. Swift's runtime gives a task memory by slabs, and the first one
// has room for 1,016 bytes. The frames of a handler that waits for a message fit by a hair; when they grow over it,
// each idle connection has one block and 1 KiB more. A handler with state of its own takes that second slab on purpose.
//
// Clients are sockets without anything around them, in the same thread: what is held is the server's.

import AsyncIO
import Benchmark
import CAllocations
import Glibc

private let blocks = BenchmarkMetric.custom("heldBlocksPerConnection", useScalingFactor: false)
private let bytes = BenchmarkMetric.custom("heldBytesPerConnection", useScalingFactor: false)
private let openSSLBytes = BenchmarkMetric.custom("heldBytesOfOpenSSLPerConnection", useScalingFactor: false)

/// A table that grows, or what another thread made once, is some bytes of a connection. No block may be added to each.
private let tolerances = [blocks: 0, bytes: 40]

/// OpenSSL's next version may hold a little more or less. A buffer of a record, which it gives back, is 16 KiB.
let protectedTolerances = [blocks: 0, bytes: 40, openSSLBytes: 2048]

/// Fewer descriptors than a process may have that was told nothing: two for each.
private let (warmUp, measured) = (128, 256)

/// Connect, send a message and give the loop turns until all of it is back.
private func echoOnce(port: UInt16) async throws -> Int32 {
  let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  // The backlog takes it: nobody has to accept first.
  let status = withUnsafePointer(to: address) { address in
    address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  let message = InlineArray<64, UInt8>(repeating: 120)
  let sent = message.span.withUnsafeBytes { send(client, $0.baseAddress, $0.count, 0) }
  precondition(status == 0 && sent == message.count, "a client cannot connect")
  var received = 0
  while received < message.count {
    try await AsyncIO.sleep(for: .zero)
    var memory = InlineArray<64, UInt8>(repeating: 0)
    var span = memory.mutableSpan
    let n = span.withUnsafeMutableBytes { recv(client, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) }
    precondition(n > 0 || n < 0 && errno == EAGAIN, "the server closed the connection")
    received += max(n, 0)
  }
  return client
}

/// What is held when the server waits again.
private func heldNow() async throws -> (blocks: Int64, bytes: Int64, openSSL: Int64) {
  for _ in 0..<3 { try await AsyncIO.sleep(for: .zero) }
  return (callocations_held_blocks(), callocations_held_bytes(), callocations_held_by_openssl())
}

/// Count what one idle connection holds. `connect` makes the given number of connections.
func countHeld(_ connect: (Int) async throws -> Void) async throws -> [BenchmarkMetric: Int] {
  try await connect(warmUp)
  let before = try await heldNow()
  try await connect(measured)
  let after = try await heldNow()
  return [
    blocks: rounded(after.blocks - before.blocks), bytes: rounded(after.bytes - before.bytes),
    openSSLBytes: rounded(after.openSSL - before.openSSL),
  ]
}

private func countIdle(
  _ name: String, on loop: String,
  _ serve: @escaping @Sendable (BaseEventLoop, (UInt16) async throws -> Void) async throws -> Void
) {
  register("idle.\(name).\(loop)", tolerances, on: loop) { bench in
    let loop = bench.loop
    return try bench.runner.run {
      var figures: [BenchmarkMetric: Int] = [:]
      try await serve(loop) { port in
        var clients: [Int32] = []
        clients.reserveCapacity(warmUp + measured)
        figures = try await countHeld { count in
          for _ in 0..<count { clients.append(try await echoOnce(port: port)) }
        }
        for client in clients { close(client) }
      }
      return figures.filter { tolerances[$0.key] != nil }
    }
  }
}

private func rounded(_ difference: Int64) -> Int { (Int(difference) + measured / 2) / measured }

/// Handlers are passed on as they are: one that was kept in an array or in any other generic place is called by way of
/// a frame more.
private func countIdle(_ name: String, on loop: String, _ handler: @escaping Handler) {
  countIdle(name, on: loop) { _, body in try await withServer(handler, body) }
}

func registerIdle(on loop: String) {
  countIdle("async", on: loop, echo)
  countIdle("sync", on: loop, echoSynchronously)
  // 256 bytes of its own, from one message to the next.
  countIdle("state", on: loop) { connection in
    var seen = InlineArray<256, UInt8>(repeating: 0)
    try await connection.forEachChunk { bytes in
      seen[bytes.byteCount & 255] &+= 1
      try await connection.write(bytes)
    }
  }
  countIdle("protocol", on: loop) { loop, body in try await withProtocolServer(on: loop, body) }
}
