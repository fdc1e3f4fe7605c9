import CAsyncIO
import POSIX
import Testing

@testable import AsyncIO

/// Operations on descriptors that are not sockets, straight on the backends.
@Suite(.timeLimit(.minutes(5)))
struct PipeOperationTests {
  /// The two ends of a pipe that do not block, in the care of a loop.
  private final class Pipe: @unchecked Sendable {
    // Right because the tests use it in the loop's thread only.
    let reader: IODescriptor
    let writer: IODescriptor

    init(on loop: BaseEventLoop) throws {
      var ends: [Int32] = [-1, -1]
      try #require(pipe(&ends) == 0)
      for end in ends {
        casyncio_set_nonblocking(end)
        casyncio_set_close_on_exec(end)
      }
      reader = IODescriptor(ends[0], loop: loop)
      writer = IODescriptor(ends[1], loop: loop)
    }

    func close() {
      reader.close()
      writer.close()
    }

    /// Write all of the memory, or ends with an error.
    func write(_ memory: UnsafeMutableRawBufferPointer, on loop: BaseEventLoop) async -> Int {
      await PipeOperationTests.complete(.write, writer, memory, on: loop)
    }

    func read(into memory: UnsafeMutableRawBufferPointer, on loop: BaseEventLoop) async -> Int {
      await PipeOperationTests.complete(.read, reader, memory, on: loop)
    }
  }

  private static func complete(
    _ kind: IOOperation.Kind, _ descriptor: IODescriptor, _ memory: UnsafeMutableRawBufferPointer,
    on loop: BaseEventLoop
  ) async -> Int {
    let operation = IOOperation(kind, on: descriptor)
    operation.buffer = memory.baseAddress
    operation.count = memory.count
    await loop.complete(operation)
    return operation.result
  }

  /// Memory of one test.
  private static func withMemory<R>(
    _ count: Int, _ body: (UnsafeMutableRawBufferPointer) async throws -> R
  ) async rethrows -> R {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { memory.deallocate() }
    return try await body(memory)
  }

  @Test("A megabyte goes through a pipe in order; its end is 0 bytes", arguments: LoopKind.allCases)
  func bulk(kind: LoopKind) async throws {
    try await kind.run { loop in
      #expect(loop.capabilities.contains(.pipes))
      let pipe = try Pipe(on: loop)
      let count = 1 << 20
      let writing = try loopTask {
        await Self.withMemory(count) { memory in
          memory.copyBytes(from: numbered(0..<count))
          let written = await pipe.write(memory, on: loop)
          pipe.writer.close()
          return written
        }
      }
      let got = await Self.withMemory(30_000) { memory in
        var got = 0
        while true {
          let n = await pipe.read(into: memory, on: loop)
          guard n > 0 else { return n == 0 ? got : n }
          #expect(Array(memory[..<n]) == numbered(got..<got + n))
          got += n
        }
      }
      #expect(got == count)
      #expect(try await writing.value == count)
      pipe.close()
    }
  }

  @Test("A write into a pipe that nobody reads any more is an error, never a signal", arguments: LoopKind.allCases)
  func brokenPipe(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pipe = try Pipe(on: loop)
      pipe.reader.close()
      let result = await Self.withMemory(10) { await pipe.write($0, on: loop) }
      #expect(result == -Int(EPIPE))
      pipe.close()
    }
  }

  @Test("A read of an empty pipe ends with its task's cancellation, and with the close", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let pipe = try Pipe(on: loop)
      for closes in [false, true] {
        let turns = loop.turns
        let reading = try loopTask { await Self.withMemory(100) { await pipe.read(into: $0, on: loop) } }
        try await turnUntil { loop.turns > turns + 2 }
        if closes { pipe.reader.close() } else { reading.cancel() }
        #expect(try await reading.value == -Int(ECANCELED))
      }
      pipe.close()
    }
  }

  #if os(Linux)
    @Test("A process's descriptor is ready when the process has ended", arguments: LoopKind.allCases)
    func process(kind: LoopKind) async throws {
      try await kind.run { loop in
        // It reads its standard input to the end, which comes when this test closes the other side.
        var input: [Int32] = [-1, -1]
        try #require(pipe(&input) == 0)
        for end in input { casyncio_set_close_on_exec(end) }
        let child = try Self.spawn("/bin/cat", input: input[0])
        _ = CAsyncIO.close(input[0])
        let number = casyncio_process_open(Int64(child))
        try #require(number >= 0)
        let descriptor = IODescriptor(number, loop: loop)
        let ready = IOOperation(.ready, on: descriptor)
        let waiting = try loopTask {
          await loop.complete(ready)
          return ready.result
        }
        try await turnUntil { ready.state == .inFlight }
        _ = CAsyncIO.close(input[1])
        #expect(try await waiting.value == 0)
        var status: Int32 = -1
        #expect(waitpid(child, &status, WNOHANG) == child && status == 0)
        descriptor.close()
      }
    }

    private static func spawn(_ path: String, input: Int32) throws -> pid_t {
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
      var child: pid_t = 0
      var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(path), nil]
      defer { free(arguments[0]) }
      try #require(posix_spawn(&child, path, &actions, nil, &arguments, environ) == 0)
      return child
    }
  #endif
}
