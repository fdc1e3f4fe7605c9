/// What a sequence reads from.
protocol SequenceSource: Sendable {
  func read(upTo maximum: Int) async throws -> [UInt8]
  func readLine(limit: Int) async throws -> String?
}

extension StreamConnection: SequenceSource {}
extension PipeReader: SequenceSource {}

/// The bytes of a stream to its end, a chunk at a time.
private struct ByteChunks<Source: SequenceSource>: AsyncSequence, Sendable {
  let source: Source

  struct AsyncIterator: AsyncIteratorProtocol {
    let source: Source

    mutating func next() async throws -> [UInt8]? {
      let bytes = try await source.read(upTo: 16 * 1024)
      return bytes.isEmpty ? nil : bytes
    }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source) }
}

/// The lines of a stream to its end, without their line ends.
private struct ByteLines<Source: SequenceSource>: AsyncSequence, Sendable {
  let source: Source
  let limit: Int

  struct AsyncIterator: AsyncIteratorProtocol {
    let source: Source
    let limit: Int

    mutating func next() async throws -> String? { try await source.readLine(limit: limit) }
  }

  func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source, limit: limit) }
}

// The sequences have no names, so that they can become others.

extension StreamConnection {
  /// The bytes of the stream to its end, a chunk at a time. Each loop over it reads what has not been read yet.
  /// ``forEachChunk(_:)`` copies nothing, and is faster.
  public var chunks: some AsyncSequence<[UInt8], any Error> & Sendable { ByteChunks(source: self) }

  /// The lines of the stream to its end, without their line ends; a line may have 64 KiB.
  public var lines: some AsyncSequence<String, any Error> & Sendable { lines(limit: 64 * 1024) }

  /// The lines of the stream to its end, with a limit in bytes for each, which the iteration checks as `readLine` does.
  public func lines(limit: Int) -> some AsyncSequence<String, any Error> & Sendable {
    ByteLines(source: self, limit: limit)
  }
}

extension PipeReader {
  /// The bytes of the stream to its end, a chunk at a time. Each loop over it reads what has not been read yet.
  public var chunks: some AsyncSequence<[UInt8], any Error> & Sendable { ByteChunks(source: self) }

  /// The lines of the stream to its end, without their line ends; a line may have 64 KiB.
  public var lines: some AsyncSequence<String, any Error> & Sendable { lines(limit: 64 * 1024) }

  /// The lines of the stream to its end, with a limit in bytes for each, which the iteration checks as `readLine` does.
  public func lines(limit: Int) -> some AsyncSequence<String, any Error> & Sendable {
    ByteLines(source: self, limit: limit)
  }
}
