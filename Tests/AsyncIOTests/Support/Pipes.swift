import CAsyncIO
import POSIX
import Testing

@testable import AsyncIO

/// The two ends of a pipe that block, closed on exec.
func makePipe() throws -> (read: Int32, write: Int32) {
  var ends: (Int32, Int32) = (-1, -1)
  try #require(casyncio_pipe(UInt32(CASYNCIO_PIPE_READ_HERE | CASYNCIO_PIPE_WRITE_HERE), &ends.0, &ends.1) == 0)
  return ends
}

/// A pipe with both ends on the running loop.
struct PipePair: Sendable {
  let reader: PipeReader
  let writer: PipeWriter

  static func make() throws -> PipePair {
    let ends = try makePipe()
    return PipePair(reader: try PipeReader(owning: ends.read), writer: try PipeWriter(owning: ends.write))
  }

  func close() {
    reader.close()
    writer.close()
  }
}

extension LoopKind {
  /// Run the body as a task on a new loop with the two ends of a pipe, then close everything.
  func withPipe<R: Sendable>(
    _ body: @escaping @Sendable (_ reader: PipeReader, _ writer: PipeWriter) async throws -> R
  ) async throws -> R {
    try await run { _ in
      let pair = try PipePair.make()
      defer { pair.close() }
      return try await body(pair.reader, pair.writer)
    }
  }
}

extension PipeEnd {
  var isWaitingToRead: Bool { descriptor.reading != nil || descriptor.stream?.pointee.reading != nil }
  var isWaitingToWrite: Bool { descriptor.writing != nil || descriptor.stream?.pointee.writing != nil }
}

#if os(Linux)
  /// A pseudo-terminal without echo: what is written to one side is read from the other as it is.
  struct Terminal {
    let master: Int32
    let device: Int32
    let path: String

    init() throws {
      master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
      try #require(master >= 0)
      // TIOCSPTLCK and TIOCGPTN, which the module of the C library does not have.
      var (locked, number): (Int32, UInt32) = (0, 0)
      try #require(ioctl(master, 0x4004_5431, &locked) == 0 && ioctl(master, 0x8004_5430, &number) == 0)
      path = "/dev/pts/\(number)"
      device = open(path, O_RDWR | O_NOCTTY)
      try #require(device >= 0)
      var settings = termios()
      try #require(tcgetattr(device, &settings) == 0)
      settings.c_lflag &= ~tcflag_t(ECHO)
      settings.c_oflag &= ~tcflag_t(OPOST)
      try #require(tcsetattr(device, TCSANOW, &settings) == 0)
      for end in [master, device] { casyncio_set_close_on_exec(end) }
    }
  }
#endif
