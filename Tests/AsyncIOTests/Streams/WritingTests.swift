import CAsyncIO
import Testing

@testable import AsyncIO

/// Writing, and time limits around reads and writes: lines 70 and 92 of the conformance list, hazards C6 and D1.
@Suite(.timeLimit(.minutes(5)))
struct WritingTests {
  @Test("70: 64 MiB to a slow reader arrive in order, and the writer waits for it", arguments: LoopKind.allCases)
  func slowReader(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let total = 64 << 20
      let bytes = numbered(0..<total)
      let isDone = Flag()
      let writing = try loopTask {
        try await near.write(bytes)
        isDone.set()
        try near.writeEOF()
      }
      try await turnUntil { near.isWriting }
      for _ in 0..<50 { try await sleep(for: .microseconds(200)) }
      let gone = near.sending.transferred
      #expect(!isDone.isSet && gone < total, "what the system keeps for a reader that does not read is bounded")
      var got = 0
      try await far.forEachChunk { chunk in
        let isSame = chunk.withUnsafeBytes { chunk in
          bytes.withUnsafeBytes { memcmp($0.baseAddress! + got, chunk.baseAddress!, chunk.count) == 0 }
        }
        #expect(isSame, "at \(got)")
        got += chunk.byteCount
        if got < 4 << 20 { #expect(!isDone.isSet) }
      }
      try await writing.value
      #expect(got == total)
    }
  }

  @Test(
    "92: a small write is sent at once, and small ones keep their order behind a large one",
    arguments: LoopKind.allCases)
  func order(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let turns = near.core.turns
      try await near.write("a")
      try await near.write([])
      try await near.write([UInt8(ascii: "b")])
      #expect(near.core.turns == turns, "no wait")
      #expect(try await far.readExactly(2) == Array("ab".utf8))
      let writing = try loopTask {
        var next = 0
        for count in [3_000_000, 1, 10, 2_000_000, 5] {
          try await near.write(numbered(next..<next + count))
          next += count
        }
        try near.writeEOF()
        return next
      }
      let got = try await far.readToEnd()
      #expect(got == numbered(0..<(try await writing.value)))
    }
  }

  @Test("A time limit ends a read and a write; what comes later is not lost", arguments: LoopKind.allCases)
  func limits(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.milliseconds(5)) { _ = try await near.read(upTo: 1) }
      }
      try await far.write("later")
      #expect(try await withTimeout(.seconds(30)) { try await near.readExactly(5) } == Array("later".utf8))
      await #expect(throws: TimeoutError.self) {
        try await withTimeout(.milliseconds(5)) { try await near.write(numbered(0..<32_000_000)) }
      }
      #expect(!near.isWriting)
    }
  }

  @Test(
    "In a served connection a time limit works around reads, and inside a loop over chunks with the lent bytes",
    arguments: LoopKind.allCases)
  func limitsInServe(kind: LoopKind) async throws {
    try await kind.run { _ in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      let serving = try loopTask {
        try await listener.serve { connection in
          do {
            try await withTimeout(.milliseconds(5)) { _ = try await connection.read(upTo: 1) }
          } catch is TimeoutError {
            try await connection.write("slow")
          }
          try await connection.forEachChunk { bytes in
            try await withTimeout(.seconds(30)) {
              await Task.yield()
              try await connection.write(bytes)
            }
          }
        }
      }
      let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
      #expect(try await client.readExactly(4) == Array("slow".utf8))
      for count in [1, 1000, 40_000] {
        try await client.write(numbered(0..<count))
        #expect(try await client.readExactly(count) == numbered(0..<count))
      }
      client.close()
      listener.close()
      try await serving.value
    }
  }

  @Test("Two thousand connections come and go: nothing is left of them", arguments: LoopKind.allCases)
  func churn(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind = kind as LoopKind] in
      try await kind.run { loop in
        let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
        let serving = try loopTask {
          try await listener.serve { connection in try await connection.forEachChunk { try await connection.write($0) }
          }
        }
        func round(_ count: Int) async throws {
          for number in 0..<count {
            let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
            try await client.write("x")
            #expect(try await client.readExactly(1) == Array("x".utf8))
            if number.isMultiple(of: 2) { client.close() } else { client.abort() }
          }
        }
        try await round(50)
        try await turnUntil { LiveCounters.snapshot["served connections"] == 0 }
        let before = LiveCounters.snapshot
        let descriptors = openDescriptors()
        try await round(2000)
        try await turnUntil { LiveCounters.snapshot == before && openDescriptors() == descriptors }
        listener.close()
        try await serving.value
      }
      #expect(LiveCounters.snapshot["descriptors"] == 0)
    }
  }
}

/// How many descriptors this process has, counted by asking for each.
private func openDescriptors() -> Int {
  (0..<256).count { (number: Int32) in SocketAddress.local(of: number) != nil }
}
