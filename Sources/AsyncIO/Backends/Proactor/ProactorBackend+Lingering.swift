internal import CAsyncIO

// Connections that were closed while bytes of theirs were on their way. Most are sent by the next poll. A peer that does
// not read could keep the rest, and the number with it, for ever; so it gets a time, and then the connection is cut.

extension ProactorBackend {
  /// How long a closed connection may take to get rid of its last bytes, in nanoseconds.
  private static var lingerTime: Int64 { 30_000_000_000 }

  struct Lingering {
    let stream: ProactorStream.Pointer
    let deadline: Int64
  }

  /// A closed connection has unsent bytes.
  func linger(_ stream: ProactorStream.Pointer) {
    stream.pointee.pins += 1
    closed.append(stream)
  }

  /// The wait, shortened to the next deadline.
  func boundByLingering(_ timeout: Int64) -> Int64 {
    guard let first = lingering.first else { return timeout }
    let left = max(0, first.deadline - casyncio_monotonic_nanoseconds())
    return timeout < 0 ? left : min(timeout, left)
  }

  /// After the events of a poll: those whose bytes did not go at once get their time; those whose time is up are cut.
  func checkLingering() {
    let batch = closed
    closed.removeAll(keepingCapacity: true)
    let now = casyncio_monotonic_nanoseconds()
    for stream in batch {
      if stream.pointee.isSending {
        lingering.append(Lingering(stream: stream, deadline: now + Self.lingerTime))
      } else {
        unpin(stream)
      }
    }
    guard let first = lingering.first, first.deadline <= now || !first.stream.pointee.isSending else { return }
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

  /// The run has ended, and nothing is with the system: the last bytes of closed connections get one more chance.
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

  /// Sends what the system takes of an outbox, without waiting.
  func sendNow(_ stream: ProactorStream.Pointer) {
    let fd = stream.pointee.descriptor._withUnsafeGuaranteedRef { $0.fileDescriptor }
    while !stream.pointee.outbox.isEmpty {
      let bytes = stream.pointee.outbox.unsent
      guard send(fd, bytes.baseAddress!, bytes.count, sendFlags) == bytes.count else { return }
      _ = stream.pointee.outbox.removeFirst(&blocks)
    }
  }

  /// One list fewer refers to the stream.
  func unpin(_ stream: ProactorStream.Pointer) {
    stream.pointee.pins -= 1
    freeIfEnded(stream)
  }
}
