internal import AsyncIO
internal import CAsyncIO
internal import CConformance
internal import SystemPackage

/// The two ends of a pipe, which block. Ends that were not released are closed after the check.
public final class PipeEnds: Sendable {
  /// The end to read from.
  public let read: Int32
  /// The end to write to.
  public let write: Int32
  private let left: Box<Set<Int32>>

  /// Which ends a loop of this process uses; a child process gets the other one.
  struct Here: OptionSet {
    let rawValue: UInt32
    static let read = Here(rawValue: UInt32(CASYNCIO_PIPE_READ_HERE))
    static let write = Here(rawValue: UInt32(CASYNCIO_PIPE_WRITE_HERE))
  }

  init(here: Here) throws {
    var (readEnd, writeEnd): (Int32, Int32) = (-1, -1)
    let status = cconformance_pipe(here.rawValue, &readEnd, &writeEnd)
    guard status == 0 else { throw Errno(rawValue: -status) }
    read = readEnd
    write = writeEnd
    left = Box([readEnd, writeEnd])
  }

  /// Release an end: other code closes it from here on.
  public func release(_ end: Int32) -> Int32 {
    _ = left.update { $0.remove(end) }
    return end
  }

  /// Close one end.
  public func close(_ end: Int32) {
    if left.update({ $0.remove(end) }) != nil { _ = casyncio_close(end) }
  }

  func closeAll() { for end in left.value { close(end) } }
}

extension ConformanceSubject {
  /// The two ends of a pipe.
  public func pipe() throws -> PipeEnds { try pipe(here: [.read, .write]) }

  func pipe(here: PipeEnds.Here) throws -> PipeEnds {
    let ends = try PipeEnds(here: here)
    atEnd { ends.closeAll() }
    return ends
  }
}

/// Marks what a pipe or a child process tells it, and lets a task wait for the end.
final class MarkingProtocol: StreamProtocol, SubprocessProtocol {
  let trail: Trail
  let isLost = Box(false)
  private let onMade: () throws -> Void

  init(_ trail: Trail, onMade: @escaping () throws -> Void = {}) {
    self.trail = trail
    self.onMade = onMade
  }

  func connectionMade(_ transport: BaseTransport) throws { try made() }
  func connectionMade(_ transport: StreamTransport) throws { try made() }
  func connectionMade(_ transport: SubprocessTransport) throws { try made() }

  private func made() throws {
    trail.mark("made")
    try onMade()
  }

  func dataReceived(_ bytes: RawSpan) throws { trail.mark(text(bytes)) }

  func eofReceived() throws -> Bool {
    trail.mark("eof")
    return true
  }

  func pipeDataReceived(_ fileDescriptor: Int32, _ bytes: RawSpan) throws {
    trail.mark("\(fileDescriptor):\(text(bytes))")
  }

  func pipeConnectionLost(_ fileDescriptor: Int32, _ error: (any Error)?) throws {
    trail.mark("\(fileDescriptor):closed")
  }

  func processExited() throws { trail.mark("exited") }

  func connectionLost(_ error: (any Error)?) throws {
    let why = (error as? IOError).map { $0.errno == .brokenPipe ? "brokenPipe" : "\($0.errno)" }
    trail.mark(why.map { "lost:\($0)" } ?? (error == nil ? "lost" : "lost:other"))
    isLost.value = true
  }

  private func text(_ bytes: RawSpan) -> String {
    let text = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    return text.split(whereSeparator: \.isWhitespace).joined(separator: "_")
  }

  /// Wait, turn by turn, until it was told of the end.
  func waitForEnd() async throws {
    while !isLost.value { try await sleep(for: .microseconds(200)) }
  }
}
