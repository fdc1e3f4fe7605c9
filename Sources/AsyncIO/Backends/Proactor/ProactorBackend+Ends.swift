internal import CAsyncIO

// What a stream has taken to send may fail if the peer is gone, and then the end of the peer's stream often arrives
// first: the end reports itself, the error is the result of a send. On its own the end would say that all is well. So
// it waits for the sends that are on their way and reports their error in its place, if there is one that has not been
// reported. It does not wait for a peer that merely does not read: what the next poll does not send is waiting for
// room.

extension ProactorBackend {
  /// A stream that a pin keeps until its end is told.
  struct HeldEnd {
    let stream: ProactorStream.Pointer
    /// True once a poll has submitted everything that the stream had to send.
    var isPolled = false
  }

  /// Hold the end if it is next, and bytes are on their way that were written after it had come. Returns `true` if
  /// there is nothing to read.
  @inline(__always)
  func defersEnd(_ stream: ProactorStream.Pointer) -> Bool {
    guard stream.pointee.end == 0 else { return false }
    return deferEnd(stream)
  }

  private func deferEnd(_ stream: ProactorStream.Pointer) -> Bool {
    let isNext = stream.pointee.chunks.isEmpty && !stream.pointee.endIsFinal
    guard isNext, !stream.pointee.outbox.isEmpty, isStarted else { return false }
    stream.pointee.end = Int.max
    holdEnd(stream)
    return true
  }

  /// True if an end alone might not be the whole truth.
  @inline(__always)
  func isUnsettled(_ stream: ProactorStream.Pointer) -> Bool {
    stream.pointee.lost != 0 || !stream.pointee.outbox.isEmpty
  }

  /// Hold the end of an input that has ended while bytes are on their way, or were lost.
  func holdEnd(_ stream: ProactorStream.Pointer) {
    if stream.pointee.holdsEnd { return }
    stream.pointee.holdsEnd = true
    stream.pointee.pins += 1
    heldEnds.append(HeldEnd(stream: stream))
  }

  /// Release ends after the events of a poll.
  ///
  /// - Parameter sawEverything: true if no event was left for the next poll.
  func releaseEnds(sawEverything: Bool) {
    let batch = heldEnds
    heldEnds = []
    for var held in batch {
      if held.isPolled && sawEverything || held.stream.pointee.outbox.isEmpty {
        release(held.stream)
      } else {
        held.isPolled = sawEverything
        heldEnds.append(held)
      }
    }
  }

  /// Release all ends after the run has ended.
  func releaseAllEnds() {
    let batch = heldEnds
    heldEnds = []
    for held in batch { release(held.stream) }
  }

  private func release(_ stream: ProactorStream.Pointer) {
    stream.pointee.holdsEnd = false
    if !stream.pointee.isDetached {
      (stream.pointee.end, stream.pointee.endIsFinal) = (0, true)
      if stream.pointee.reading == nil { tellEnd(stream) } else { serve(stream) }
    }
    unpin(stream)
  }

  // MARK: Ends that nobody reads

  /// Receive on, as an end is known only after the bytes before it. It is overlooked while a stream has as much as it
  /// may queue.
  package func watchEnd(of descriptor: IODescriptor) -> Bool {
    if descriptor.knowsEnd { return false }
    let stream = stream(of: descriptor)
    if stream.pointee.end != Int.max { return true }
    receiveAhead(stream)
    return false
  }

  /// Tell of the end that was noted while nobody reads.
  func tellEnd(_ stream: ProactorStream.Pointer) {
    guard stream.pointee.end != Int.max else { return }
    // Strong: what happens here may release the descriptor.
    stream.pointee.descriptor.takeUnretainedValue().tellEnd()
  }
}
