import Testing

@testable import AsyncIO

/// The pool that lent chunks come from: its bound, its behaviour near the bound, and its close.
@Suite struct LentBufferPoolTests {
  private typealias Pool = LentBufferPool

  @Test("The buffer that was used last is lent next")
  func lastInFirstOut() {
    var pool = Pool()
    let first = pool.take()
    #expect(first.capacity == Pool.largeCapacity)
    pool.giveBack(first.base, capacity: first.capacity)
    for _ in 0..<100 {
      let next = pool.lend(pool.take(), filled: 10)
      #expect(next.base == first.base)
      pool.giveBack(next.base, capacity: next.capacity)
    }
    #expect(pool.largeAllocated == 1)
    #expect(pool.largeLent == 0)
    pool.deallocateAll()
  }

  @Test("With few large buffers left chunks are copied: ten thousand held chunks, bounded large memory")
  func lowWater() {
    var pool = Pool()
    var held: [Pool.Buffer] = []
    for number in 0..<10_000 {
      let buffer = pool.take()
      buffer.base.storeBytes(of: number, as: Int.self)
      held.append(pool.lend(buffer, filled: 64))
    }
    #expect(pool.largeAllocated <= Pool.maximumLargeBuffers)
    #expect(pool.largeLent <= Pool.maximumLargeBuffers * 3 / 4 + 1)
    #expect(pool.smallLent == held.count - pool.largeLent)
    let taken = pool.take()
    #expect(taken.capacity == Pool.smallCapacity, "a receive asks for no more than a copy holds")
    // Taken for a receive, so a large one whatever it may be filled with.
    pool.giveBack(taken.base, capacity: taken.capacity)
    let bases = Set(held.map(\.base))
    #expect(bases.count == held.count, "no buffer is lent twice")
    for (number, buffer) in held.enumerated() { #expect(buffer.base.load(as: Int.self) == number) }
    for buffer in held { pool.giveBack(buffer.base, capacity: buffer.capacity) }
    #expect(pool.smallLent == 0)
    let again = pool.take()
    #expect(again.capacity == Pool.largeCapacity, "large buffers are lent again")
    pool.giveBack(again.base, capacity: again.capacity)
    pool.deallocateAll()
  }

  @Test("Chunks that return after the close are freed by their return")
  func returnsAfterClose() {
    var pool = Pool()
    var held: [Pool.Buffer] = []
    for _ in 0..<300 { held.append(pool.lend(pool.take(), filled: 32)) }
    pool.deallocateAll()
    // Nothing to look at but that the memory is still there and its return is not a fault.
    for buffer in held { buffer.base.storeBytes(of: 7, as: UInt8.self) }
    for buffer in held {
      let isFreed = pool.frees(buffer.base)
      #expect(isFreed)
    }
    #expect(pool.largeAllocated == held.count { $0.capacity == Pool.largeCapacity })
  }

  @Test("A thousand connections hold a chunk each; the next one is served", arguments: LoopKind.allCases)
  func heldChunks(kind: LoopKind) async throws {
    try await kind.run { loop in
      let release = loop.createFuture(of: Void.self)
      let holding = Recorder<Int>()
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask {
        try await listener.serve { connection in
          try await connection.forEachChunk { bytes in
            // More than the innocent one's byte: the first chunk, which may be less than all that was sent.
            if bytes.byteCount > 1 {
              holding.record(1)
              try await release.get()
            }
            #expect(bytes.withUnsafeBytes { all in all.allSatisfy { $0 == all[0] } })
            try await connection.write(bytes)
          }
        }
      }
      var clients: [StreamConnection] = []
      for number in 0..<1000 {
        let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
        try await client.write([UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1000))
        clients.append(client)
      }
      try await turnUntil { holding.all.count == 1000 }
      let innocent = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      try await innocent.write("x")
      #expect(try await innocent.readExactly(1) == Array("x".utf8))
      try release.setResult(())
      for (number, client) in clients.enumerated() {
        let expected = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1000)
        #expect(try await client.readExactly(1000) == expected)
        client.close()
      }
      innocent.close()
      listener.close()
      try await serving.value
    }
  }
}
