package import SystemPackage

/// What a backend offers beyond streams of bytes, so that other modules can ask instead of trying.
package struct IOCapabilities: OptionSet, Sendable {
  /// The bits.
  package let rawValue: UInt32
  /// Create a set from its bits.
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// `addReader` and `addWriter` work on any pollable descriptor.
  package static let descriptorWatches = IOCapabilities(rawValue: 1 << 0)
  /// Stream sockets: connect, accept, receive, send.
  package static let streamSockets = IOCapabilities(rawValue: 1 << 1)
  /// Pipes and process descriptors: read, write, ready.
  package static let pipes = IOCapabilities(rawValue: 1 << 3)
  /// Messages with addresses, and waits until a descriptor may be written: receiveFrom, sendTo, writable.
  package static let datagrams = IOCapabilities(rawValue: 1 << 4)
  /// Works on descriptors of the operating system that were made elsewhere. Without it everything is the backend's own.
  package static let systemDescriptors = IOCapabilities(rawValue: 1 << 5)
  /// Sockets under paths and abstract names.
  package static let unixSockets = IOCapabilities(rawValue: 1 << 6)
  /// Other threads, and so signals, may give the loop something to do while it runs.
  package static let threads = IOCapabilities(rawValue: 1 << 7)
  /// Time passes by itself, even while a callback runs.
  package static let systemClock = IOCapabilities(rawValue: 1 << 8)
  /// Waits are not rounded to whole milliseconds.
  package static let subMillisecondWaits = IOCapabilities(rawValue: 1 << 2)
  /// Receives from a stream when it is asked, without an operation: `tryReceive`.
  package static let immediateReceives = IOCapabilities(rawValue: 1 << 9)
}

/// The one set of operations that every backend offers, whatever its mechanism.
///
/// The interface has the shape of a completion system. An operation is a reused record (``IOOperation``) that is
/// submitted by a plain call and ends in exactly one completion, at once or in a later ``poll(timeout:)``. A backend
/// over readiness tries the call first and waits only if it would block; a backend over completions passes it to the
/// kernel; a simulation plays it.
///
/// All calls come from the thread that runs the loop, except ``wake()``, which any thread may make until ``close()``
/// was called, and calls made while the loop does not run, which its owner serialises. Errors are negated errno values
/// in `IOOperation.result`.
package protocol IOBackend: AnyObject {
  /// A short name for reports: "epoll", "poll".
  var name: String { get }

  /// What this backend can do.
  var capabilities: IOCapabilities { get }

  /// Set up for the thread that begins to run the loop, if the backend belongs to a thread.
  func runWillBegin() throws(Errno)

  /// End the run of the thread; operations in flight must survive until the next run, on any thread.
  func runDidEnd()

  /// Wait for completions and deliver them.
  ///
  /// - Parameter timeout: nanoseconds; 0 does not wait, a negative value waits until something happens.
  func poll(timeout: Int64) throws(Errno)

  /// Call around waits that may take time, from the next one on. Returns `false` if there are none.
  func setWaitHook(_ hook: WaitHook?) -> Bool

  /// End the current or the next wait early. Any thread, even a signal handler.
  func wake()

  /// Start an operation. Returns `true` if it has ended and its result is in the record: no completion follows. Returns
  /// `false` if ``IOOperation/complete(_:)`` will be called, exactly once.
  func submit(_ operation: IOOperation) -> Bool

  /// Ask for an early end. The operation still ends by its own completion, with what had happened by then or with
  /// `-ECANCELED`; that completion may come before this call returns. Does nothing if it is not in flight.
  func cancel(_ operation: IOOperation)

  /// Fetch the bytes of a lent receive that completed: fill `buffer` and `result`. Returns `false` if nothing was there
  /// after all (a spurious wake-up); submit again then.
  func claimLent(_ operation: IOOperation) -> Bool

  /// Receive whatever has arrived, without an operation and without waiting. Returns the number of bytes, 0 at the end
  /// of the stream, or a negated errno: `-EAGAIN` if nothing has arrived. No receive of the descriptor is in flight.
  /// For backends that offer ``IOCapabilities/immediateReceives``.
  func tryReceive(_ descriptor: IODescriptor, into memory: UnsafeMutableRawBufferPointer) -> Int

  /// Look for the peer's end even while no operation reads, for the descriptor's `endObserver`. Returns `true` if the
  /// end has come already: then nobody is told. A backend may overlook an end that comes behind much input that nobody
  /// takes.
  func watchEnd(of descriptor: IODescriptor) -> Bool

  /// Send what the system takes at once, without an operation. Returns the number of bytes, 0 if it would have to wait,
  /// or a negated errno. No send of the descriptor is in flight.
  func trySend(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int

  /// Send as ``trySend(_:_:)`` does, but only what the system takes is taken, and after everything that was taken
  /// before. What counts as sent is with the system.
  func trySendNow(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int

  /// Give to the system what was taken before, as far as it has room. Returns `true` if it has everything.
  func sendTaken(_ descriptor: IODescriptor) -> Bool

  /// Return the error that lost bytes an earlier send had already accepted, if no send has reported it yet, as a
  /// negated errno; 0 if there is none, as in a backend that takes only what the system does.
  func sendError(of descriptor: IODescriptor) -> Int

  /// Return the same error, and count it as reported from here on.
  func takeSendError(of descriptor: IODescriptor) -> Int

  /// End the stream after everything that was sent: the peer sees the end.
  func endWriting(_ descriptor: IODescriptor) throws(Errno)

  /// Give the lent buffer of an operation back to the pool. The one call that may follow ``close()``, then from any
  /// thread.
  func returnLent(_ operation: IOOperation)

  /// Attach a descriptor that a connection takes into its care; nothing is waited for yet.
  func attach(_ descriptor: IODescriptor)

  /// Return the descriptor in care under this number, if any.
  func attached(_ fileDescriptor: Int32) -> IODescriptor?

  /// Call the body with each descriptor in care, in the order of their numbers.
  func forEachAttached(_ body: (IODescriptor) -> Void)

  /// Return the operations that wait on a descriptor, for those who look at the loop.
  func parked(on descriptor: IODescriptor) -> (reading: IOOperation?, writing: IOOperation?)

  /// End every operation of the descriptor with `-ECANCELED` and forget it. With `closing` the caller closes the
  /// descriptor right after this call.
  func detach(_ descriptor: IODescriptor, closing: Bool)

  /// Release the number of a descriptor that has left while the system still works for it, so that it can be closed and
  /// its address is free. Returns `false` if the system does not do that now; the number is released later.
  func letNumberGo(of descriptor: IODescriptor) -> Bool

  /// Return `true` if bytes that a send took are not with the system yet; a ``IOOperation/Kind/flush`` waits until they
  /// are.
  func hasUnsent(_ descriptor: IODescriptor) -> Bool

  /// Ask the system to end the receive that it does ahead, with no operation of the descriptor in flight. Returns
  /// `true` if it does none, or has ended it; otherwise ask again in the next turn.
  func endReceiving(_ descriptor: IODescriptor) -> Bool

  /// Give up the bytes that were received ahead, piece by piece, and return the error that was received, as a negated
  /// errno; 0 if there was none. The receive has ended, and the descriptor leaves.
  func takeInput(of descriptor: IODescriptor, _ take: (UnsafeRawBufferPointer) -> Void) -> Int

  /// The operation that waits for bytes which the system is to move by itself; nil if this backend has none moved.
  var waitToSplice: IOOperation.Kind? { get }

  /// Have the system move what has arrived into a pipe, which is empty. Returns the number of bytes, 0 at the end of
  /// the stream, or a negated errno: `-EAGAIN` if nothing has arrived, `-EBUSY` if a receive must come first, for what
  /// is here already, `-EALREADY` if the system is to end a receive first; ask again in the next turn. No receive of
  /// the descriptor is in flight.
  func trySplice(_ descriptor: IODescriptor, into pipe: Int32, atMost count: Int) -> Int

  /// Have the system send bytes of a pipe. Returns the number of bytes, or a negated errno: `-EAGAIN` if there is no
  /// room, `-EBUSY` if a flush must come first. No send of the descriptor is in flight.
  func trySplice(from pipe: Int32, _ count: Int, to descriptor: IODescriptor) -> Int

  /// Set what `addReader` and `addWriter` wait for on a watched descriptor;
  /// ``IODescriptor/deliverWatch(readable:writable:)`` tells the loop.
  func watch(_ descriptor: IODescriptor, readable: Bool, writable: Bool) throws(Errno)

  /// True if this backend itself knows which open file a watch was registered for. Otherwise the descriptors compare
  /// what the system says of the number.
  var knowsWatchedFiles: Bool { get }

  /// Return whether the number of a watch stands for the open file that it was registered for. Asked before each
  /// callback: a program may close a number while its file lives on elsewhere, and the next file under that number is
  /// not to be watched.
  func namesWatchedFile(_ descriptor: IODescriptor) -> Bool

  /// End a watch whose number stands for another file: nothing may be reported for it any more.
  func watchIsLost(_ descriptor: IODescriptor)

  /// End every operation with `-ECANCELED` and release the mechanism. No call follows.
  func close()
}

extension IOBackend {
  /// There are none.
  package func setWaitHook(_ hook: WaitHook?) -> Bool { false }

  /// False: the system is asked.
  package var knowsWatchedFiles: Bool { false }
  /// Compare what the number stood for with what it stands for.
  package func namesWatchedFile(_ descriptor: IODescriptor) -> Bool { descriptor.isSameFile }
  /// Detach the descriptor.
  package func watchIsLost(_ descriptor: IODescriptor) { detach(descriptor, closing: false) }

  /// Return those that the descriptor knows.
  package func parked(on descriptor: IODescriptor) -> (reading: IOOperation?, writing: IOOperation?) {
    (descriptor.reading?.takeUnretainedValue(), descriptor.writing?.takeUnretainedValue())
  }

  /// Give none: this backend does not list them.
  package func forEachAttached(_ body: (IODescriptor) -> Void) {}

  /// Return 0: this backend takes only what the system does.
  package func sendError(of descriptor: IODescriptor) -> Int { 0 }

  /// Return `true`: this backend keeps no numbers.
  package func letNumberGo(of descriptor: IODescriptor) -> Bool { true }

  /// Return 0: this backend takes only what the system does.
  package func takeSendError(of descriptor: IODescriptor) -> Int { 0 }

  /// Return `-ENOTSUP`: this backend receives by operations.
  package func tryReceive(_ descriptor: IODescriptor, into memory: UnsafeMutableRawBufferPointer) -> Int {
    -Int(Errno.notSupported.rawValue)
  }

  /// None: this backend has nothing moved.
  package var waitToSplice: IOOperation.Kind? { nil }
  /// Return `-ENOTSUP`.
  package func trySplice(_ descriptor: IODescriptor, into pipe: Int32, atMost count: Int) -> Int {
    -Int(Errno.notSupported.rawValue)
  }
  /// Return `-ENOTSUP`.
  package func trySplice(from pipe: Int32, _ count: Int, to descriptor: IODescriptor) -> Int {
    -Int(Errno.notSupported.rawValue)
  }

  /// Return `false`: this backend sees an end by a receive only.
  package func watchEnd(of descriptor: IODescriptor) -> Bool { false }

  /// Send: this backend takes only what the system does.
  package func trySendNow(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int {
    trySend(descriptor, bytes)
  }
  /// Return `true`: this backend takes only what the system does.
  package func sendTaken(_ descriptor: IODescriptor) -> Bool { true }

  /// Return `false`: this backend does nothing ahead.
  package func hasUnsent(_ descriptor: IODescriptor) -> Bool { false }
  /// Return `true`: this backend does nothing ahead.
  package func endReceiving(_ descriptor: IODescriptor) -> Bool { true }
  /// Give nothing, and no error: this backend does nothing ahead.
  package func takeInput(of descriptor: IODescriptor, _ take: (UnsafeRawBufferPointer) -> Void) -> Int { 0 }
}
