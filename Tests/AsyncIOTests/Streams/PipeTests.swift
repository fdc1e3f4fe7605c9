import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

@Suite(.timeLimit(.minutes(5)))
struct PipeTests {
  @Test("A megabyte in order, a writer that waits for the reader, an end that is a value", arguments: LoopKind.allCases)
  func bulk(kind: LoopKind) async throws {
    try await kind.withPipe { reader, writer in
      let count = 1 << 20
      let writing = try loopTask {
        try await writer.write(numbered(0..<count))
        writer.close()
      }
      try await turnUntil { writer.end.isWaitingToWrite }
      var got = 0
      try await reader.forEachChunk { bytes in
        let bytes = bytes.withUnsafeBytes { Array($0) }
        #expect(bytes == numbered(got..<got + bytes.count))
        got += bytes.count
      }
      #expect(got == count)
      try await writing.value
      #expect(try await reader.read(upTo: 1) == [], "the end stays")
    }
  }

  @Test("Every way to read what a pipe brings", arguments: LoopKind.allCases)
  func ways(kind: LoopKind) async throws {
    try await kind.withPipe { reader, writer in
      try await writer.write("one\r\ntwo\nabc--rest of it")
      #expect(try await reader.readLine() == "one")
      #expect(try await reader.readLine() == "two")
      let refusal = try await failure(LimitOverrunError.self) {
        _ = try await reader.readUntil(Array("--".utf8), limit: 2)
      }
      #expect(refusal.limit == 2)
      #expect(try await reader.readUntil(Array("--".utf8)) == Array("abc--".utf8))
      #expect(try await reader.readExactly(5) == Array("rest ".utf8))
      #expect(try await reader.read(upTo: 2) == Array("of".utf8))
      writer.close()
      let short = try await failure(IncompleteReadError.self) { _ = try await reader.readExactly(9) }
      #expect(short.partial == Array(" it".utf8) && short.expected == 9)
      #expect(try await reader.readLine() == nil)
      #expect(try await reader.readToEnd() == [])
    }
  }

  @Test("The sequences of chunks and lines end with the stream", arguments: LoopKind.allCases)
  func sequences(kind: LoopKind) async throws {
    try await kind.run { _ in
      let lines = try PipePair.make()
      try await lines.writer.write("a\nb\nlast")
      lines.writer.close()
      var got: [String] = []
      for try await line in lines.reader.lines { got.append(line) }
      #expect(got == ["a", "b", "last"])
      let chunks = try PipePair.make()
      try await chunks.writer.write(numbered(0..<40_000))
      chunks.writer.close()
      var bytes: [UInt8] = []
      for try await chunk in chunks.reader.chunks { bytes += chunk }
      #expect(bytes == numbered(0..<40_000))
      lines.close()
      chunks.close()
    }
  }

  @Test("A reader that has gone is a broken pipe, and can be waited for without a write", arguments: LoopKind.allCases)
  func brokenPipe(kind: LoopKind) async throws {
    try await kind.withPipe { reader, writer in
      let waiting = try loopTask { try await writer.waitForReaderClose() }
      try await turnUntil { writer.end.isWaitingToRead }
      let busy = try await failure(EventLoopError.self) { try await writer.waitForReaderClose() }
      #expect(busy.code == .busy)
      try await writer.write("while it waits")
      reader.close()
      try await waiting.value
      let broken = try await failure(IOError.self) { try await writer.write("x") }
      #expect(broken.errno == .brokenPipe)
      try await writer.waitForReaderClose()
    }
  }

  @Test("A write that waits ends when the reader goes", arguments: LoopKind.allCases)
  func brokenWhileWriting(kind: LoopKind) async throws {
    try await kind.withPipe { reader, writer in
      let writing = try loopTask { try await writer.write(numbered(0..<1 << 20)) }
      try await turnUntil { writer.end.isWaitingToWrite }
      reader.close()
      let broken = try await failure(IOError.self) { try await writing.value }
      #expect(broken.errno == .brokenPipe)
    }
  }

  @Test("Cancelling and closing end what waits; a second user is refused", arguments: LoopKind.allCases)
  func ending(kind: LoopKind) async throws {
    try await kind.withPipe { reader, writer in
      let reading = try loopTask { try await reader.read(upTo: 10) }
      try await turnUntil { reader.end.isWaitingToRead }
      let busy = try await failure(EventLoopError.self) { _ = try await reader.readLine() }
      #expect(busy.code == .busy)
      reading.cancel()
      _ = try await failure(CancellationError.self) { _ = try await reading.value }
      try await writer.write("kept")
      #expect(try await reader.read(upTo: 10) == Array("kept".utf8))

      let writing = try loopTask { try await writer.write(numbered(0..<1 << 20)) }
      let waiting = try loopTask { try await writer.waitForReaderClose() }
      try await turnUntil { writer.end.isWaitingToWrite && writer.end.isWaitingToRead }
      writer.close()
      writer.close()
      #expect(try await failure(IOError.self) { try await writing.value }.errno == .canceled)
      #expect(try await failure(IOError.self) { try await waiting.value }.errno == .canceled)
      #expect(try await failure(IOError.self) { try await writer.write("x") }.errno == .badFileDescriptor)
      reader.close()
      #expect(reader.isClosed && writer.isClosed)
      #expect(try await failure(IOError.self) { _ = try await reader.readLine() }.errno == .badFileDescriptor)
    }
  }

  @Test("Pipes are used from tasks of other threads, and end with their loop", arguments: LoopKind.allCases)
  func elsewhere(kind: LoopKind) async throws {
    let loop = try kind.makeLoop()
    let pair = try await loop.run { () -> PipePair in
      let pair = try PipePair.make()
      let writing = Task.detached { try await pair.writer.write(numbered(0..<200_000)) }
      let read = try await Task.detached { try await pair.reader.readExactly(200_000) }.value
      try await writing.value
      #expect(read == numbered(0..<200_000))
      return pair
    }
    let reading = Task { try await pair.reader.read(upTo: 1) }
    try loop.close()
    #expect(try await failure(EventLoopError.self) { _ = try await reading.value }.code == .closed)
    pair.close()
  }

  // MARK: What is a pipe

  @Test("Files that cannot be waited for, wrong ends and dead numbers are refused", arguments: LoopKind.allCases)
  func refused(kind: LoopKind) async throws {
    try await kind.run { _ in
      let regular = try NumberedFile(0)
      let file = regular.descriptor.rawValue
      let directory = open("/tmp", O_RDONLY)
      defer { close(directory) }
      let ends = try makePipe()
      expectRefusal(.invalidArgument) { try PipeReader(owning: file) }
      expectRefusal(.invalidArgument) { try PipeWriter(owning: file) }
      expectRefusal(.invalidArgument) { try PipeReader(owning: directory) }
      expectRefusal(.invalidArgument) { try PipeReader(owning: ends.write) }
      expectRefusal(.invalidArgument) { try PipeWriter(owning: ends.read) }
      #expect(throws: IOError(.badFileDescriptor, "PipeReader", "descriptor -1")) { try PipeReader(owning: -1) }
      let reader = try PipeReader(owning: ends.read)
      expectRefusal(.invalidState) { try PipeReader(owning: ends.read) }
      reader.close()
      #expect(fcntl(ends.write, F_GETFD) >= 0, "a descriptor that was refused is the caller's")
      close(ends.write)
      withExtendedLifetime(regular) {}
    }
    #expect(throws: EventLoopError.self, "there is no loop here") { try PipeReader(owning: 0) }
  }

  @Test("A socket is also a pipe", arguments: LoopKind.allCases)
  func socket(kind: LoopKind) async throws {
    try await kind.run { _ in
      let sockets = try SocketPair()
      let reader = try PipeReader(owning: sockets.a)
      let writer = try PipeWriter(owning: sockets.b)
      sockets.release(sockets.a)
      sockets.release(sockets.b)
      try await writer.write("hello\n")
      #expect(try await reader.readLine() == "hello")
      reader.close()
      try await writer.waitForReaderClose()
      writer.close()
    }
  }

  @Test("The null device ends at once and takes everything", arguments: LoopKind.allCases)
  func nullDevice(kind: LoopKind) async throws {
    try await kind.run { _ in
      let reader = try PipeReader(owning: open("/dev/null", O_RDONLY))
      #expect(try await reader.readToEnd() == [])
      reader.close()
      let writer = try PipeWriter(owning: open("/dev/null", O_WRONLY))
      try await writer.write(numbered(0..<300_000))
      let refusal = try await failure(EventLoopError.self) { try await writer.waitForReaderClose() }
      #expect(refusal.code == .notOffered)
      writer.close()
    }
  }

  @Test("A FIFO that nobody has opened for writing has not ended", arguments: LoopKind.allCases)
  func fifo(kind: LoopKind) async throws {
    try await kind.run { _ in
      let (directory, _) = makeTemporary { mkdtemp($0) }
      let path = directory + "/fifo"
      try #require(mkfifo(path, 0o600) == 0)
      defer {
        unlink(path)
        rmdir(directory)
      }
      let reader = try PipeReader(owning: open(path, O_RDONLY | O_NONBLOCK))
      let reading = try loopTask { try await reader.readToEnd() }
      try await turnUntil { reader.end.isWaitingToRead }
      for _ in 0..<3 { try await sleep(for: .zero) }
      #expect(reader.end.isWaitingToRead)
      let writer = try PipeWriter(owning: open(path, O_WRONLY))
      try await writer.write("late")
      writer.close()
      #expect(try await reading.value == Array("late".utf8))
      reader.close()
    }
  }

  // MARK: Terminals

  @Test("A terminal: lines both ways, many in one go, and a hang-up that is a quiet end", arguments: LoopKind.allCases)
  func terminal(kind: LoopKind) async throws {
    try await kind.run { _ in
      let terminal = try Terminal()
      let out = fcntl(terminal.master, F_DUPFD_CLOEXEC, 3)
      let (keyboard, screen) = (try PipeWriter(owning: out), try PipeReader(owning: terminal.master))
      let program = try PipeReader(owning: terminal.device)
      try await keyboard.write("one\ntwo\nthree\n")
      // Each read of a terminal is one line, however many there are.
      for line in ["one", "two", "three"] { #expect(try await program.readLine() == line) }
      let copy = fcntl(terminal.device, F_DUPFD_CLOEXEC, 3)
      let printer = try PipeWriter(owning: copy)
      try await printer.write("output")
      #expect(try await screen.readExactly(6) == Array("output".utf8))
      let reading = try loopTask { try await screen.readToEnd() }
      try await turnUntil { screen.end.isWaitingToRead }
      program.close()
      printer.close()
      #expect(try await reading.value == [], "the hang-up")
      #expect(try await screen.read(upTo: 1) == [])
      keyboard.close()
      screen.close()
    }
  }

  // MARK: The mode of the file

  @Test("A file that blocked blocks again when its last user here has gone", arguments: LoopKind.allCases)
  func blockingMode(kind: LoopKind) async throws {
    try await kind.run { _ in
      let terminal = try Terminal()
      let numbers = (0..<3).map { _ in fcntl(terminal.device, F_DUPFD_CLOEXEC, 3) }
      let input = try PipeReader(owning: numbers[0])
      #expect(casyncio_is_nonblocking(terminal.device) == 1, "one open file has one mode")
      let output = try PipeWriter(owning: numbers[1])
      // Opened again it is another open file.
      let other = open(terminal.path, O_RDWR | O_NOCTTY)
      let kept = fcntl(other, F_DUPFD_CLOEXEC, 3)
      let another = try PipeWriter(owning: other)
      input.close()
      #expect(casyncio_is_nonblocking(terminal.device) == 1, "the writer needs it")
      output.close()
      #expect(casyncio_is_nonblocking(terminal.device) == 0)
      #expect(casyncio_is_nonblocking(kept) == 1)
      another.close()
      #expect(casyncio_is_nonblocking(kept) == 0)

      let ends = try makePipe()
      casyncio_set_nonblocking(ends.read)
      let copy = fcntl(ends.read, F_DUPFD_CLOEXEC, 3)
      try PipeReader(owning: ends.read).close()
      #expect(casyncio_is_nonblocking(copy) == 1, "what was found so is left so")
      for number in [copy, ends.write, kept, numbers[2], terminal.master, terminal.device] { close(number) }
    }
  }
}
