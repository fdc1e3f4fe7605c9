import SystemPackage
import Testing

@testable import AsyncIO

/// A lost connection has no end of stream, no matter which call learned of the loss first.
@Suite(.timeLimit(.minutes(5)))
struct LossTests {
  @Test("row S4: after a write has thrown a reset, reads throw it as well, each time", arguments: LoopKind.allCases)
  func resetOfAWriter(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writing = try loopTask { try await near.write([UInt8](repeating: 1, count: 64 << 20)) }
      try await turnUntil { near.isWriting }
      far.abort()
      #expect(await errno { try await writing.value } == .connectionReset)
      #expect(await errno { _ = try await near.read(upTo: 10) } == .connectionReset)
      #expect(await errno { try await near.forEachChunk { _ in } } == .connectionReset)
      #expect(await errno { _ = try await near.readToEnd() } == .connectionReset)
      #expect(await errno { _ = try await near.withNextChunk { _ in } } == .connectionReset)
    }
  }

  @Test("row S4: a write that is reset on its way throws the reset, and reads do", arguments: LoopKind.allCases)
  func resetOnTheWay(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let writing = try loopTask { try await near.write([UInt8](repeating: 1, count: 64 << 20)) }
      // Sent by the very operation that then fails, which says only how much it has sent.
      _ = try await far.readExactly(16 << 20)
      far.abort()
      let write = await errno { try await writing.value }
      let read = await errno { _ = try await near.read(upTo: 10) }
      #expect(write == .connectionReset && read == .connectionReset, "\(String(describing: (write, read)))")
    }
  }

  @Test("row S4: a small write that was taken, and not sent, leaves no end for reads", arguments: LoopKind.allCases)
  func resetOfASmallWrite(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      far.abort()
      // Taken at once on some loops, and refused on others.
      let refusal = await errno { try await near.write("x") }
      #expect(refusal == nil || refusal == .connectionReset)
      #expect(await errno { _ = try await near.read(upTo: 10) } == .connectionReset)
      #expect(await errno { _ = try await near.read(upTo: 10) } == .connectionReset)
    }
  }

  @Test(
    "row S4: what is written after this side's end takes nothing from the peer's end", arguments: LoopKind.allCases)
  func brokenPipe(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try near.writeEOF()
      #expect(await errno { try await near.write("x") } == .brokenPipe)
      try await far.write("y")
      try far.writeEOF()
      #expect(try await near.readToEnd() == Array("y".utf8))
      #expect(try await near.read(upTo: 1).isEmpty)
    }
  }

  private func errno(_ body: () async throws -> Void) async -> Errno? {
    do {
      try await body()
      return nil
    } catch { return (error as? IOError)?.errno }
  }
}
