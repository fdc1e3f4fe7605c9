import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Ends of connections: lines 69 and 95 to 99 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct ClosingTests {
  @Test("69: close ends a read and a write of other tasks at once", arguments: LoopKind.allCases)
  func closeEndsPending(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let reading = try loopTask { _ = try await near.read(upTo: 1) }
      let writing = try loopTask { try await near.write(numbered(0..<32_000_000)) }
      try await turnUntil { near.isReading && near.isWriting }
      near.close()
      for task in [reading, writing] {
        let error = try await failure(IOError.self) { try await task.value }
        #expect(error.errno == .canceled)
        #expect(error.description.contains("This program closed the connection"))
      }
      let error = try await failure(IOError.self) { _ = try await near.read(upTo: 1) }
      #expect(error.errno == .badFileDescriptor)
      #expect(near.isClosed && near.localAddress == nil && near.peerAddress == nil)
      near.close()
      near.abort()
      #expect(throws: IOError.self) { try near.writeEOF() }
    }
  }

  @Test("69: close from another thread ends a read at once", arguments: LoopKind.allCases)
  func closeFromThread(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let reading = try loopTask { try await near.forEachChunk { _ in } }
      try await turnUntil { near.isReading }
      startThread { near.close() }
      let error = try await failure(IOError.self) { try await reading.value }
      #expect(error.errno == .canceled)
      #expect(try await far.read(upTo: 1) == [], "the peer sees the end")
    }
  }

  @Test("95: what was written before close arrives, then the end", arguments: LoopKind.allCases)
  func closeFlushes(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await near.write(numbered(0..<100_000))
      near.close()
      #expect(try await far.readToEnd() == numbered(0..<100_000))
    }
  }

  @Test("96, 99: abort shows as a reset, which is not an end of the stream", arguments: LoopKind.allCases)
  func abort(kind: LoopKind) async throws {
    for form in 0..<4 {
      try await kind.withPair { near, far in
        let reading = try loopTask {
          switch form {
          case 0: _ = try await far.read(upTo: 1)
          case 1: try await far.forEachChunk { _ in }
          case 2: try await far.serveChunks { _, _ in }
          default: _ = try await far.readToEnd()
          }
        }
        try await turnUntil { far.isReading }
        near.abort()
        let error = try await failure(IOError.self) { try await reading.value }
        #expect(error.errno == .connectionReset, "form \(form)")
        #expect(error.isConnectionLoss)
      }
    }
  }

  @Test(
    "97: half-close: the end comes after the data, reading goes on, writing is refused", arguments: LoopKind.allCases)
  func halfClose(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try await near.write("question")
      try near.writeEOF()
      try near.writeEOF()
      #expect(try await far.readToEnd() == Array("question".utf8))
      let error = try await failure(IOError.self) { try await near.write("more") }
      #expect(error.errno == .brokenPipe)
      try await far.write("answer")
      #expect(try await near.readExactly(6) == Array("answer".utf8))
    }
  }

  @Test("98: after the peer's end, writing works on, both forms of chunks end once", arguments: LoopKind.allCases)
  func peerEnd(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      try far.writeEOF()
      try await near.forEachChunk { _ in Issue.record("there are no bytes") }
      try await near.serveChunks { _, _ in Issue.record("there are no bytes") }
      try await near.write(numbered(0..<50_000))
      near.close()
      #expect(try await far.readToEnd() == numbered(0..<50_000))
    }
  }

  @Test("Writing to a peer that is gone is an error, never a signal", arguments: LoopKind.allCases)
  func brokenPipe(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      far.abort()
      let error = try await failure(IOError.self) {
        while true { try await near.write("x") }
      }
      #expect(error.isConnectionLoss, "\(error)")
    }
  }

  @Test("105: small messages are not held back", arguments: LoopKind.allCases)
  func noDelay(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      for connection in [near, far] {
        var value: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let fd = connection.descriptor.fileDescriptor
        #expect(getsockopt(fd, Int32(IPPROTO_TCP), TCP_NODELAY, &value, &size) == 0)
        #expect(value != 0)
      }
    }
  }

  @Test("62: a connection's descriptor cannot be watched until the connection is closed", arguments: LoopKind.allCases)
  func watchRefused(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      let fd = pair.near.descriptor.fileDescriptor
      #expect(throws: EventLoopError.self) { try loop.addReader(fd) {} }
      #expect(throws: EventLoopError.self) { try loop.addWriter(fd) {} }
      #expect(throws: EventLoopError.self) { try loop.removeReader(fd) }
      try await pair.far.write("x")
      #expect(try await pair.near.readExactly(1) == [UInt8(ascii: "x")])
      pair.near.close()
      // Other tests take and give descriptors meanwhile, so the number itself may be anybody's by now; the loop's own
      // table is what must have let go of it. (A protected connection keeps the number until its peer has ended.)
      #expect(pair.near.core.backend.attached(fd) == nil || StreamPair.protectsAll)
      var ends: [Int32] = [0, 0]
      #expect(pipe(&ends) == 0)
      try loop.addReader(ends[0]) {}
      #expect(try loop.removeReader(ends[0]))
      for end in ends { _ = CAsyncIO.close(end) }
    }
  }
}
