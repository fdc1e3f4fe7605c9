package import SystemPackage

// How the operations of a stream reach its descriptor. Mostly the loop's backend is all of the path. A layer that
// protects the stream stands between: it takes the same operations, for bytes as the program sees them, and has
// operations of its own on the path below, for bytes as they travel. So streams, transports and whatever is built on
// them need not know whether there is one.

/// The operations of a stream of bytes. Thread rules, results and the meaning of a completion are those of
/// ``IOBackend``.
package protocol StreamPath: AnyObject {
  /// Start an operation. Returns `true` if it has ended and its result is in the record: no completion follows. Returns
  /// `false` if ``IOOperation/complete(_:)`` will be called, exactly once.
  func submit(_ operation: IOOperation) -> Bool

  /// Ask for an early end. The operation still ends by its own completion, with what had happened by then or with
  /// `-ECANCELED`; that completion may come before this call returns. Does nothing if it is not in flight.
  func cancel(_ operation: IOOperation)

  /// Fetch the bytes of a lent receive that completed: fill `buffer` and `result`. Returns `false` if nothing was there
  /// after all (a spurious wake-up); submit again then.
  func claimLent(_ operation: IOOperation) -> Bool

  /// Give the lent buffer of an operation back to the pool. The one call that may follow the close of the backend, then
  /// from any thread.
  func returnLent(_ operation: IOOperation)

  /// Send what the system takes at once, without an operation. Returns the number of bytes, 0 if it would have to wait,
  /// or a negated errno. No send of the descriptor is in flight.
  func trySend(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int

  /// Return the error that lost bytes an earlier send had already accepted, if no send has reported it yet, as a
  /// negated errno; 0 if there is none, as in a backend that takes only what the system does.
  func sendError(of descriptor: IODescriptor) -> Int

  /// Return the same error, and count it as reported from here on.
  func takeSendError(of descriptor: IODescriptor) -> Int

  /// End the stream after everything that was sent: the peer sees the end.
  func endWriting(_ descriptor: IODescriptor) throws(Errno)

  /// Return `true` if bytes that a send took are not with the system yet; a ``IOOperation/Kind/flush`` waits until they
  /// are.
  func hasUnsent(_ descriptor: IODescriptor) -> Bool
}

/// A layer between the operations of a stream and the path below. Its descriptor holds it until the number is given
/// back.
package protocol StreamLayer: StreamPath {
  /// Why the layer cannot go on: what operations report as `-EPROTO`.
  var failure: (any Error)? { get }
  /// Say goodbye: the descriptor is about to be closed, and nothing waits. Loop thread.
  func descriptorWillClose()
}
