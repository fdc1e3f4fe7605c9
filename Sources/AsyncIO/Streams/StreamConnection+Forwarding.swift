extension StreamConnection {
  /// Write everything that comes to another connection, until the peer ends its stream or `limit` bytes were passed on.
  ///
  /// ```swift
  /// try await client.forward(to: upstream)
  /// try upstream.writeEOF()
  /// ```
  /// Where the system can move the bytes by itself, from TCP to TCP on one loop, large amounts do not pass through this
  /// program: no copy is made. Bytes that were received and could not be written are not lost: they are what the next
  /// read of this connection finds. The other connection is not ended. To itself a connection forwards as an echo.
  ///
  /// - Parameters:
  ///   - other: of any loop. Nobody else writes it meanwhile.
  ///   - limit: how many bytes; nil is everything to the end of the stream.
  /// - Returns: how many bytes were passed on; fewer than `limit` if the stream ends first.
  /// - Throws: code `invalidArgument` for a `limit` below 1; `busy` while another task reads this connection or writes
  ///   the other one; ``IOError``, of a read or of a write, `CancellationError`.
  @discardableResult
  public func forward(to other: StreamConnection, limit: Int64? = nil) async throws -> Int64 {
    try await forward(to: other, limit: limit, piece: .max, nil)
  }

  /// Do the same with an observer, and write at most `piece` bytes at a time.
  @discardableResult
  package func forward(
    to other: StreamConnection, limit: Int64? = nil, piece: Int, _ observer: (any ForwardingObserver)?
  ) async throws -> Int64 {
    if let limit, limit < 1 {
      throw EventLoopError(.invalidArgument, "forward: limit is \(limit). Give at least 1, or nil for everything.")
    }
    try claimReader()
    defer { releaseReader() }
    try other.claimWriter()
    defer {
      // Every other write expects to find the record like this.
      other.sending.kind = .send
      other.releaseWriter()
    }
    try checkOpen("read")
    try other.checkOpen("write")
    var flow = Forwarding(from: self, to: other, atMost: limit ?? .max, piece: piece, observer)
    try await flow.run()
    return flow.passed
  }

  /// Forward in both directions until both streams have ended. The end of one is passed on, and the other goes on.
  ///
  /// Both connections stay open, for their owner to close. A failure of one direction ends the other one; bytes that
  /// were not passed on are still there to read, as for ``forward(to:limit:)``.
  ///
  /// - Returns: how many bytes went to the other connection, and how many came from it.
  /// - Throws: the first failure, as ``forward(to:limit:)`` does.
  @discardableResult
  public func exchange(with other: StreamConnection) async throws -> (sent: Int64, received: Int64) {
    try await withThrowingTaskGroup(of: (isSent: Bool, count: Int64).self) { group in
      group.addTask { (true, try await self.forwardToEnd(other)) }
      group.addTask { (false, try await other.forwardToEnd(self)) }
      var counts: (sent: Int64, received: Int64) = (0, 0)
      for try await flow in group {
        if flow.isSent { counts.sent = flow.count } else { counts.received = flow.count }
      }
      return counts
    }
  }

  private func forwardToEnd(_ other: StreamConnection) async throws -> Int64 {
    let count = try await forward(to: other)
    try other.writeEOF()
    return count
  }
}
