internal import CAsyncIO
internal import Synchronization

// From loop to loop. The old loop's mechanism must have nothing of the connection left when the new one begins: a later
// completion would take bytes that no code looks for any more. So everything is ended in order, and each step may find
// that the connection has been closed meanwhile:
//
// 1. Both claims are taken: no task of the program waits on the connection, and none can begin to.
// 2. Bytes that were written and are still in this process are sent. That waits for the peer, as a write does.
// 3. The receive that the mechanism does ahead is ended.
// 4. What it brought goes along, including an error. Bytes that come from now on stay in the system.
// 5. The number is let go, once: a `close()` in another thread wins or loses here.

extension StreamConnection {
  /// Move the connection to another loop and return it there: a new object, for tasks of that loop. This object is
  /// closed for good, and does not close the other.
  ///
  /// ```swift
  /// let moved = try await connection.move(to: group.loops[2])
  /// try await group.run(on: 2) { try await serve(moved) }
  /// ```
  /// No byte is lost or overtaken in either direction, whatever is on its way meanwhile. Bytes that were received and
  /// not read go along; bytes of earlier writes that this process still holds (a proactor's few KiB) are sent first. In
  /// a handler of `serve` the server closes the old object only: the connection lives on, and its new owner closes it.
  ///
  /// Throws code `busy` while a task reads or writes, `wrongThread` outside of the connection's loop, `closed` for a
  /// closed loop, `notOffered` for loops that cannot take descriptors of others (a simulation's); ``IOError`` if the
  /// connection is closed or an earlier write has failed; `CancellationError` while it waits for earlier writes. Unless
  /// it was closed, the connection then stays where it is, and goes on working.
  public func move(to loop: any EventLoop) async throws -> StreamConnection {
    try await checkpoint()
    let target = try loop.core(for: "move")
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("move") }
    if target.isClosed { throw EventLoopError.closed("move") }
    guard core.capabilities.contains(.systemDescriptors), target.capabilities.contains(.systemDescriptors) else {
      throw EventLoopError(
        .notOffered,
        "move: connections stay on a loop over \(core.backendName) or \(target.backendName). Connect there instead.")
    }
    try claimBoth(
      or: "move: a task reads or writes this connection. Let it end, or cancel it, before the connection moves.")
    defer {
      releaseReader()
      releaseWriter()
    }
    try checkOpen("move")
    guard descriptor.layer == nil else {
      throw EventLoopError(.notOffered, "move: a connection with TLS stays on its loop. Move it before startTLS.")
    }
    if core.backend.hasUnsent(descriptor) {
      // Every other write expects to find the record like this.
      defer { sending.kind = .send }
      try await waitToSend(.flush, "move")
    }
    // The system ends a cancelled receive in a turn or two, whatever the peer does.
    while !descriptor.isClosed && !core.backend.endReceiving(descriptor) {
      await core.completeInNextTurn(receiving)
    }
    // If the loop was closed meanwhile, it has dropped what it had received.
    guard core.isRunningInThisThread else { throw EventLoopError.closed("move") }
    return try leave(for: target)
  }

  /// Claim both directions, so that nothing of the program waits on the connection or can begin to.
  func claimBoth(or refusal: String) throws {
    let busy = EventLoopError(.busy, refusal)
    do { try claimReader() } catch { throw busy }
    do { try claimWriter() } catch {
      releaseReader()
      throw busy
    }
  }

  private func leave(for target: BaseEventLoop) throws -> StreamConnection {
    try checkOpen("move")
    var input = leftover
    let error = core.backend.takeInput(of: descriptor) { input.append($0.bytes) }
    noteLoss(sending.result)
    wasMoved.store(true, ordering: .releasing)
    guard descriptor.letNumberGo() else {
      wasMoved.store(false, ordering: .releasing)
      throw closedHere("move")
    }
    let moved = StreamConnection(
      descriptor.fileDescriptor, shortReadsDrain: descriptor.shortReadsDrain, core: target)
    moved.leftover = input
    moved.descriptor.owesBlockingMode = descriptor.owesBlockingMode
    moved.loss.store(error < 0 ? Int32(error) : loss.load(ordering: .relaxed), ordering: .relaxed)
    leftover = ReadBuffer()
    if hasEnded.load(ordering: .relaxed) { try? moved.writeEOF() }
    return moved
  }
}
