internal import SystemPackage

extension ChildProcess {
  /// Feed the child its input, close that pipe, read what it writes to the end, and wait for it: all at once, so that
  /// neither side waits for the other for ever. A child that does not read its input to the end is not an error.
  /// Answers `communicate`.
  ///
  /// It ends when the child and its pipes have ended. A grandchild that keeps a pipe open makes it wait.
  ///
  /// - Parameters:
  ///   - input: what the child reads. Needs `standardInput: .pipe`, unless it is empty.
  ///   - limit: how many bytes each of the two streams may have.
  /// - Returns: what it wrote to pipes; empty for a stream that is not a pipe.
  /// - Throws: ``LimitOverrunError``; `CancellationError`; code `invalidArgument` for input without a pipe and for a
  ///   negative limit; `busy` if another task reads or writes a pipe of the child. The child then runs on with its
  ///   input closed.
  public func communicate(
    _ input: [UInt8] = [], limit: Int = .max
  ) async throws -> (output: [UInt8], error: [UInt8]) {
    try ReadArguments.check(limit: limit, "communicate")
    guard standardInput != nil || input.isEmpty else {
      throw EventLoopError(
        .invalidArgument,
        "communicate: there is input, but standardInput is not a pipe. Start the child with `standardInput: .pipe`.")
    }
    // A group, because the first failure must end the others: a child stops at a stream that is not read.
    let streams = try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
      group.addTask {
        try await self.feed(input)
        return (0, [])
      }
      for (index, pipe) in [(1, standardOutput), (2, standardError)] {
        if let pipe { group.addTask { (index, try await pipe.readToEnd(limit: limit)) } }
      }
      var streams: [[UInt8]] = [[], [], []]
      for try await (index, bytes) in group { streams[index] = bytes }
      return streams
    }
    try await wait()
    return (streams[1], streams[2])
  }

  /// Do the same with the UTF-8 of a string. See ``communicate(_:limit:)-([UInt8],_)``.
  public func communicate(
    _ input: String, limit: Int = .max
  ) async throws -> (output: [UInt8], error: [UInt8]) {
    try await communicate(Array(input.utf8), limit: limit)
  }

  private func feed(_ input: [UInt8]) async throws {
    guard let standardInput else { return }
    defer { standardInput.close() }
    do {
      if !input.isEmpty { try await standardInput.write(input) }
    } catch let error as IOError where error.errno == .brokenPipe || error.errno == .connectionReset {
      // It has read enough.
    } catch let error as IOError where error.errno == .badFileDescriptor && standardInput.isClosed {
      // It has already been closed, for instance by an earlier call.
    }
  }
}
