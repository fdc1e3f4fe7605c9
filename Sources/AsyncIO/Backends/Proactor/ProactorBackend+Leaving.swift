internal import CAsyncIO

// How a connection leaves for another loop. A lent receive is with the system whether a task waits or not, so it is
// ended first; what it brings until then is queued, as always, and goes along with what was there before. The system
// does not report an error twice, so an error that this backend has got goes along as well.

extension ProactorBackend {
  /// True while bytes of the outbox are not with the system.
  package func hasUnsent(_ descriptor: IODescriptor) -> Bool {
    descriptor.stream.map { !$0.pointee.outbox.isEmpty } ?? false
  }

  /// Cancel the receive that goes on while no task waits. Returns `false` if it has not ended yet.
  package func endReceiving(_ descriptor: IODescriptor) -> Bool {
    guard let stream = descriptor.stream, stream.pointee.isReceiving else { return true }
    precondition(stream.pointee.reading == nil, "a connection leaves while an operation waits to read")
    casyncio_port_cancel(port, stream.receivingRecord)
    return false
  }

  /// Hand over the chunks that are queued and give their memory back to the port; return the error, if one was
  /// reported.
  package func takeInput(of descriptor: IODescriptor, _ take: (UnsafeRawBufferPointer) -> Void) -> Int {
    guard let stream = descriptor.stream else { return 0 }
    while !stream.pointee.chunks.isEmpty {
      let chunk = stream.pointee.chunks.removeFirst()
      take(UnsafeRawBufferPointer(start: chunk.bytes, count: chunk.count))
      casyncio_lent_return(lent, chunk.lease)
    }
    return min(0, stream.pointee.end)
  }
}
