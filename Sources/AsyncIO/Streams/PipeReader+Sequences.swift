extension PipeReader {
  /// The bytes of the stream to its end, a chunk at a time.
  public struct Chunks: AsyncSequence, Sendable {
    let reader: PipeReader

    /// Reads for one loop over the sequence.
    public struct AsyncIterator: AsyncIteratorProtocol {
      let reader: PipeReader

      /// The next bytes; nil at the end of the stream.
      public mutating func next() async throws -> [UInt8]? {
        let bytes = try await reader.read(upTo: 16 * 1024)
        return bytes.isEmpty ? nil : bytes
      }
    }

    /// A loop over what has not been read yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: reader) }
  }

  /// The lines of the stream to its end, without their line ends.
  public struct Lines: AsyncSequence, Sendable {
    let reader: PipeReader
    let limit: Int

    /// Reads for one loop over the sequence.
    public struct AsyncIterator: AsyncIteratorProtocol {
      let reader: PipeReader
      let limit: Int

      /// The next line; nil at the end of the stream.
      public mutating func next() async throws -> String? { try await reader.readLine(limit: limit) }
    }

    /// A loop over what has not been read yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: reader, limit: limit) }
  }

  /// The bytes of the stream to its end, a chunk at a time.
  public var chunks: Chunks { Chunks(reader: self) }

  /// The lines of the stream to its end, of at most 64 KiB each.
  public var lines: Lines { lines(limit: 64 * 1024) }

  /// The lines of the stream to its end, with a limit in bytes for each, which the iteration checks like `readLine`.
  public func lines(limit: Int) -> Lines { Lines(reader: self, limit: limit) }
}
