internal import CAsyncIO

// Input: one chunk at a time, and at most one in a turn. The bytes are the backend's until the protocol asks for them,
// so a pause needs no buffer: what waits stays in place.

extension StreamTransport {
  /// True while bytes are delivered as they come. Answers `is_reading`.
  public var isReading: Bool {
    requireThread("isReading")
    return life.wantsInput
  }

  /// Pause delivery until ``resumeReading()``. Idempotent; has no effect when closing. Answers `pause_reading`.
  public func pauseReading() {
    requireThread("pauseReading")
    if life.pause() { stopReceiving() }
  }

  /// Resume delivery, from the next turn on. Idempotent; has no effect when closing. Answers `resume_reading`.
  public func resumeReading() {
    requireThread("resumeReading")
    guard life.resume() else { return }
    if parked.isEmpty { receive() } else { callNextTurn { ($0 as? StreamTransport)?.deliverParked() } }
  }

  /// Wait for the next chunk. A chunk that is already there comes in the next turn: others must have theirs.
  final func receive() {
    guard receiving.state != .inFlight else { return }
    receiving.sequence &+= 1
    if core.submit(receiving) { core.completeNextTurn(receiving) }
    hold()
  }

  final func stopReceiving() {
    if receiving.state == .inFlight { core.cancel(receiving) }
    hold()
  }

  /// Handle the end of a receive. Bytes that are not wanted now stay in the backend.
  @inline(__always)
  final func received() {
    // If the protocol paused and resumed while the end of the wait was on its way, bytes of the last chunk come first.
    guard life.wantsInput, parked.isEmpty else { return }
    guard receiving.result >= 0 else { return receiveFailed(receiving.result) }
    // A backend that goes on receiving may bring the next chunk, or the end, in the same poll.
    guard turnOfChunk != core.turns else { return receivedInNextTurn() }
    guard core.claimLent(receiving) else { return receive() }
    turnOfChunk = core.turns
    let n = receiving.result
    if n > 0 {
      // Right because the buffer is this operation's until it is returned below.
      deliver(UnsafeRawBufferPointer(start: receiving.buffer, count: n))
      core.returnLent(receiving)
    } else if n == 0 {
      peerEnded()
    } else {
      receiveFailed(n)
    }
    if life.wantsInput && parked.isEmpty { receive() }
  }

  /// Leave what has come where it is until the next turn: what the protocol queued at the last chunk runs first.
  @inline(never)
  private final func receivedInNextTurn() {
    core.completeNextTurn(receiving)
    hold()
  }

  /// Handle a failed receive. A cancelled wait comes from `stopReceiving`, or from the loop that closes.
  private final func receiveFailed(_ result: Int) {
    // A broken pipe is the answer to a write; it may come with the end of the input.
    if result != -Int(ECANCELED) { lose(result, result == -Int(EPIPE) ? "write" : "read") }
  }

  private final func peerEnded() {
    life.peerEnded()
    do {
      let staysOpen = try inScope {
        switch reception {
        case .none: false
        case .plain(let proto): try proto.eofReceived()
        case .buffered(let proto): try proto.eofReceived()
        }
      }
      if !staysOpen { close() }
    } catch {
      protocolFailed("eofReceived", error)
    }
  }

  /// Handle an error of a callback that the connection does not survive.
  final func protocolFailed(_ name: String, _ error: any Error) {
    report("exception in \(name) of a protocol; the connection is closed", error)
    fail(error)
  }

  // MARK: Delivering

  @inline(__always)
  private final func deliver(_ bytes: UnsafeRawBufferPointer) {
    guard case .plain(let proto) = reception else { return deliverToBuffers(bytes) }
    do {
      try inScope { try proto.dataReceived(bytes.bytes) }
    } catch {
      protocolFailed("dataReceived", error)
    }
  }

  /// Copy the bytes to where the protocol wants them. Between any two calls it may pause, close, or be replaced by a
  /// protocol that takes the bytes as they are.
  private final func deliverToBuffers(_ bytes: UnsafeRawBufferPointer) {
    var rest = bytes
    while !rest.isEmpty, life.wantsInput {
      guard case .buffered(let proto) = reception else { return deliver(rest) }
      do {
        let n = try inScope { try Self.fill(proto, from: rest) }
        rest = UnsafeRawBufferPointer(rebasing: rest[n...])
      } catch {
        return protocolFailed("withBuffer or bufferUpdated", error)
      }
    }
    if !rest.isEmpty && !life.isClosing { parked = Array(rest) }
  }

  private static func fill(_ proto: any BufferedProtocol, from bytes: UnsafeRawBufferPointer) throws -> Int {
    var copied = 0
    try proto.withBuffer(sizeHint: bytes.count) { memory in
      memory.withUnsafeMutableBytes { memory in
        copied = min(memory.count, bytes.count)
        memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<copied]))
      }
    }
    guard copied > 0 else {
      throw EventLoopError(
        .invalidArgument, "withBuffer: \(type(of: proto)) lent no memory. Call fill with at least one byte of room.")
    }
    try proto.bufferUpdated(copied)
    return copied
  }

  /// Deliver what the protocol had no room for, before new input: it reads again.
  private final func deliverParked() {
    guard life.wantsInput, !parked.isEmpty else { return }
    let bytes = parked
    parked = []
    bytes.withUnsafeBytes { deliver($0) }
    if life.wantsInput && parked.isEmpty { receive() }
  }
}
