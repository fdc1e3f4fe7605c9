internal import CAsyncIO

// Connections that were closed while their bytes were on their way. The next poll sends most of them. A peer that does
// not read could keep the rest, and the number with it, for ever; so it gets a time limit, and then the connection is
// cut.

extension ProactorBackend {
  struct Lingering {
    let stream: ProactorStream.Pointer
    let deadline: Int64
  }

  /// Let a closed connection that has unsent bytes linger.
  func linger(_ stream: ProactorStream.Pointer) {
    stream.pointee.pins += 1
    closed.append(stream)
  }

  /// Shorten the wait to the next deadline.
  func boundByLingering(_ timeout: Int64) -> Int64 {
    // Nothing may happen in this wait, so the time limit of the connections closed in this turn begins before it.
    if timeout != 0 { startLingering(closed) }
    guard let first = lingering.first else { return timeout }
    let left = max(0, first.deadline - casyncio_monotonic_nanoseconds())
    return timeout < 0 ? left : min(timeout, left)
  }

  private func startLingering(_ streams: [ProactorStream.Pointer]) {
    guard !streams.isEmpty else { return }
    closed.removeAll(keepingCapacity: true)
    let deadline = casyncio_monotonic_nanoseconds() + lingerTime
    for stream in streams { lingering.append(Lingering(stream: stream, deadline: deadline)) }
  }

  /// Check the lingering connections after the events of a poll: those whose bytes did not go at once get their time
  /// limit, and those whose time is up are cut.
  func checkLingering() {
    let isOneGone = hasLingered || closed.contains { !$0.pointee.isSending }
    hasLingered = false
    startLingering(closed)
    guard let first = lingering.first else { return }
    let now = casyncio_monotonic_nanoseconds()
    guard isOneGone || first.deadline <= now else { return }
    lingering.removeAll { entry in
      if entry.stream.pointee.isSending {
        guard entry.deadline <= now else { return false }
        cut(entry.stream)
      }
      unpin(entry.stream)
      return true
    }
  }

  private func cut(_ stream: ProactorStream.Pointer) {
    stream.pointee.isWriteCancelled = true
    casyncio_port_cancel(port, stream.sendingRecord)
  }

  /// End the lingering with the run. Nothing is with the system: the last bytes of closed connections get one more
  /// chance.
  func endLingering() {
    let streams = closed + lingering.map(\.stream)
    closed = []
    lingering = []
    for stream in streams {
      sendNow(stream)
      stream.pointee.outbox.removeAll(&blocks)
      unpin(stream)
    }
  }

  /// Send what the system takes of an outbox, without waiting. Returns 0, or the negated errno that ended it.
  @discardableResult
  func sendNow(_ stream: ProactorStream.Pointer) -> Int {
    let fd = stream.pointee.descriptor._withUnsafeGuaranteedRef { $0.fileDescriptor }
    while !stream.pointee.outbox.isEmpty {
      let bytes = stream.pointee.outbox.unsent
      let n = sendBytes(fd, bytes.baseAddress!, bytes.count)
      if n < 0 { return n }
      stream.pointee.outbox.advance(n)
      if n < bytes.count { return -Int(EAGAIN) }
      _ = stream.pointee.outbox.removeFirst(&blocks)
    }
    return 0
  }

  /// Note that one list fewer refers to the stream.
  func unpin(_ stream: ProactorStream.Pointer) {
    stream.pointee.pins -= 1
    freeIfEnded(stream)
  }
}
