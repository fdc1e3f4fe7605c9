import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Files to connections, beyond line 75 of the conformance list.
@Suite(.timeLimit(.minutes(5)))
struct SendFileTests {
  @Test("A file comes after what was written before, and before what is written next", arguments: LoopKind.allCases)
  func order(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let file = try NumberedFile(700_000)
      let sending = try loopTask {
        for _ in 0..<3 {
          try await near.write("before")
          #expect(try await near.sendFile(file.descriptor, offset: 5, count: 600_000) == 600_000)
          #expect(file.position == 600_005)
          try await near.write("after")
        }
      }
      for _ in 0..<3 {
        #expect(try await far.readExactly(6) == Array("before".utf8))
        #expect(try await far.readExactly(600_000) == numbered(5..<600_005))
        #expect(try await far.readExactly(5) == Array("after".utf8))
      }
      try await sending.value
    }
  }

  @Test("A pipe is read and sent; without the fallback it is refused", arguments: LoopKind.allCases)
  func fallback(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let pipe = try FileDescriptor.pipe()
      let refusal = try await failure(EventLoopError.self) {
        try await near.sendFile(pipe.readEnd, fallback: false)
      }
      #expect(refusal.code == .notOffered)
      let count = 1_500_000
      startThread {
        _ = try? pipe.writeEnd.writeAll(numbered(0..<count))
        try? pipe.writeEnd.close()
      }
      let sending = try loopTask { try await near.sendFile(pipe.readEnd) }
      #expect(try await far.readExactly(count) == numbered(0..<count))
      #expect(try await sending.value == Int64(count))
      try pipe.readEnd.close()
    }
  }

  @Test("Others have their turns while a large file goes to a fast peer", arguments: LoopKind.allCases)
  func fairness(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let count = 40_000_000
      let file = try NumberedFile(count)
      let number = far.descriptor.fileDescriptor
      // A thread that reads as fast as it can, so that the socket has room whenever it is asked.
      let reading = Task.detached {
        try await inThread {
          var (got, bytes) = (0, [UInt8](repeating: 0, count: 1 << 20))
          while got < count {
            let n = read(number, &bytes, bytes.count)
            if n > 0 { got += n }
            if n == 0 { break }
          }
          return got
        }
      }
      let loop = near.core
      let turns = loop.turns
      try await near.sendFile(file.descriptor)
      #expect(loop.turns - turns >= 38, "a turn for each piece")
      #expect(try await reading.value == count)
    }
  }

  @Test(
    "The position is after what was sent when the peer goes, the connection is closed, or the task is cancelled",
    arguments: LoopKind.allCases)
  func interrupted(kind: LoopKind) async throws {
    for way in ["peer", "close", "cancel"] {
      for isPipe in [false, true] {
        try await kind.withPair { near, far in
          let count = 24_000_000
          let file = try NumberedFile(count)
          let pipe = try FileDescriptor.pipe()
          defer { try? pipe.readEnd.close() }
          startThread {
            if isPipe { _ = try? pipe.writeEnd.writeAll(numbered(0..<count)) }
            try? pipe.writeEnd.close()
          }
          let sending = try loopTask { try await near.sendFile(isPipe ? pipe.readEnd : file.descriptor) }
          #expect(try await far.readExactly(100_000) == numbered(0..<100_000))
          try await turnUntil { near.isWriting }
          switch way {
          case "peer": far.abort()
          case "close": near.close()
          default: sending.cancel()
          }
          await #expect(throws: (any Error).self) { try await sending.value }
          if isPipe { return }
          let position = file.position
          #expect(position >= 100_000 && position < count)
          guard way == "cancel" else { return }
          try near.writeEOF()
          let rest = try await far.readToEnd()
          #expect(rest == numbered(100_000..<position))
        }
      }
    }
  }

  @Test("A second one at the same time is refused, and so is one from another thread", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let file = try NumberedFile(24_000_000)
      let sending = try loopTask { try await near.sendFile(file.descriptor) }
      try await turnUntil { near.isWriting }
      let second = try await failure(EventLoopError.self) { try await near.sendFile(file.descriptor) }
      #expect(second.code == .busy)
      let elsewhere = await Task.detached { await Result { try await near.sendFile(file.descriptor) } }.value
      #expect(throws: EventLoopError.self) { try elsewhere.get() }
      sending.cancel()
      _ = await sending.result
      far.close()
    }
  }
}

extension Result where Failure == any Error {
  /// What an asynchronous call returned or threw.
  fileprivate init(_ body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
