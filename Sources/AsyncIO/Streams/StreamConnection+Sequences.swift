extension StreamConnection {
  /// The bytes of the stream to its end, a chunk at a time.
  public struct Chunks: AsyncSequence, Sendable {
    let connection: StreamConnection

    /// Reads for one loop over the sequence.
    public struct AsyncIterator: AsyncIteratorProtocol {
      let connection: StreamConnection

      /// The next bytes; nil at the end of the stream.
      public mutating func next() async throws -> [UInt8]? {
        let bytes = try await connection.read(upTo: 16 * 1024)
        return bytes.isEmpty ? nil : bytes
      }
    }

    /// A loop over what has not been read yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection) }
  }

  /// The lines of the stream to its end, without their line ends.
  public struct Lines: AsyncSequence, Sendable {
    let connection: StreamConnection
    let limit: Int

    /// Reads for one loop over the sequence.
    public struct AsyncIterator: AsyncIteratorProtocol {
      let connection: StreamConnection
      let limit: Int

      /// The next line; nil at the end of the stream.
      public mutating func next() async throws -> String? { try await connection.readLine(limit: limit) }
    }

    /// A loop over what has not been read yet.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(connection: connection, limit: limit) }
  }

  /// The bytes of the stream to its end, a chunk at a time. For the fastest way see
  /// ``forEachChunk(_:)-((RawSpan)->Void)``.
  public var chunks: Chunks { Chunks(connection: self) }

  /// The lines of the stream to its end, of at most 64 KiB each.
  public var lines: Lines { lines(limit: 64 * 1024) }

  /// The lines of the stream to its end, with a limit in bytes for each, which the iteration checks like `readLine`.
  public func lines(limit: Int) -> Lines { Lines(connection: self, limit: limit) }
}
