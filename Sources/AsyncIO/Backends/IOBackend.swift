package import SystemPackage

/// What a backend offers beyond streams of bytes, to be asked instead of tried.
public struct IOCapabilities: OptionSet, Sendable {
  /// The bits.
  public let rawValue: UInt32
  /// Makes a set from its bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// `addReader` and `addWriter` work on any pollable descriptor.
  public static let descriptorWatches = IOCapabilities(rawValue: 1 << 0)
  /// Stream sockets: connect, accept, receive, send.
  package static let streamSockets = IOCapabilities(rawValue: 1 << 1)
  /// Pipes and process descriptors: read, write, ready.
  public static let pipes = IOCapabilities(rawValue: 1 << 3)
  /// Messages with addresses, and waits until a descriptor may be written: receiveFrom, sendTo, writable.
  package static let datagrams = IOCapabilities(rawValue: 1 << 4)
  /// Works on descriptors of the operating system that were made elsewhere. Without it everything is the backend's own.
  public static let systemDescriptors = IOCapabilities(rawValue: 1 << 5)
  /// Sockets under paths and abstract names.
  public static let unixSockets = IOCapabilities(rawValue: 1 << 6)
  /// Other threads, and so signals, may give the loop something to do while it runs.
  package static let threads = IOCapabilities(rawValue: 1 << 7)
  /// Time passes by itself, also while a callback runs.
  package static let systemClock = IOCapabilities(rawValue: 1 << 8)
  /// Waits are not rounded to whole milliseconds.
  public static let subMillisecondWaits = IOCapabilities(rawValue: 1 << 2)
}

/// The one set of operations that every backend offers, whatever its mechanism.
///
/// The interface has the shape of a completion system. An operation is a reused record (``IOOperation``) that is
/// submitted by a plain call and ends in exactly one completion, at once or in a later ``poll(timeout:)``. A backend
/// over readiness tries the call first and waits only when it would block; a backend over completions hands it to the
/// kernel; a simulation plays it.
///
/// All calls come from the thread that runs the loop, except ``wake()``, which any thread may make until ``close()``
/// was called, and calls made while no thread runs the loop, which its owner serialises. Errors are negated errno
/// values in `IOOperation.result`.
package protocol IOBackend: AnyObject {
  /// A short name for reports: "epoll", "poll".
  var name: String { get }

  /// What this backend can do.
  var capabilities: IOCapabilities { get }

  /// A thread begins to run the loop. A backend that belongs to a thread sets itself up here.
  func runWillBegin() throws(Errno)

  /// The thread stops running the loop; operations in flight must survive until the next run, on any thread.
  func runDidEnd()

  /// Waits for completions and delivers them.
  ///
  /// - Parameter timeout: nanoseconds; 0 does not wait, a negative value waits until something happens.
  func poll(timeout: Int64) throws(Errno)

  /// Ends the current or the next wait early. Any thread, also a signal handler.
  func wake()

  /// Starts an operation. `true`: it has ended and its result is in the record, no completion follows.
  /// `false`: ``IOOperation/complete(_:)`` will be called exactly once.
  func submit(_ operation: IOOperation) -> Bool

  /// Asks for an early end. The operation still ends by its own completion, with what had happened by then or with
  /// `-ECANCELED`; that completion may come before this call returns. A no-op if it is not in flight.
  func cancel(_ operation: IOOperation)

  /// Fetches the bytes of a lent receive that completed: fills `buffer` and `result`. `false`: nothing was there
  /// after all (a spurious wake-up), submit again.
  func claimLent(_ operation: IOOperation) -> Bool

  /// Sends what the system takes at once, without an operation: the number of bytes, 0 if it would have to wait, or a
  /// negated errno. No send of the descriptor is in flight.
  func trySend(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int

  /// Why bytes were not sent that a send had taken, as a negated errno that no send was told of yet; 0 if there is no
  /// such error, as in a backend that takes only what the system does.
  func sendError(of descriptor: IODescriptor) -> Int

  /// The same, and from here on somebody was told of it.
  func takeSendError(of descriptor: IODescriptor) -> Int

  /// The peer is to see the end of the stream, behind everything that was sent.
  func endWriting(_ descriptor: IODescriptor) throws(Errno)

  /// Gives the lent buffer of an operation back to the pool. The one call that may follow ``close()``, then from any
  /// thread.
  func returnLent(_ operation: IOOperation)

  /// A connection takes the descriptor into its care; nothing is waited for yet.
  func attach(_ descriptor: IODescriptor)

  /// The descriptor in care under this number, if any.
  func attached(_ fileDescriptor: Int32) -> IODescriptor?

  /// Ends every operation of the descriptor with `-ECANCELED` and forgets it. `closing`: the caller closes the
  /// descriptor right after this call.
  func detach(_ descriptor: IODescriptor, closing: Bool)

  /// Lets go of the number of a descriptor that has left while the system works for it still, so that it can be closed
  /// and its address is free. `false`: the system does not do that now; the number is let go later.
  func letNumberGo(of descriptor: IODescriptor) -> Bool

  /// True if bytes that a send took are not with the system yet; a ``IOOperation/Kind/flush`` waits until they are.
  func hasUnsent(_ descriptor: IODescriptor) -> Bool

  /// Asks the system to end the receive that it does ahead, with no operation of the descriptor in flight. `true`: it
  /// does none, or has ended it. Ask again in the next turn otherwise.
  func endReceiving(_ descriptor: IODescriptor) -> Bool

  /// Gives up the bytes that were received ahead, piece by piece, and returns the error that was, as a negated errno; 0
  /// if there was none. The receive has ended, and the descriptor leaves.
  func takeInput(of descriptor: IODescriptor, _ take: (UnsafeRawBufferPointer) -> Void) -> Int

  /// Sets what `addReader` and `addWriter` wait for on a watched descriptor; the loop is told by
  /// ``IODescriptor/deliverWatch(readable:writable:)``.
  func watch(_ descriptor: IODescriptor, readable: Bool, writable: Bool) throws(Errno)

  /// True if this backend itself knows which open file a watch was registered for. Else the descriptors compare what
  /// the system says of the number.
  var knowsWatchedFiles: Bool { get }

  /// Whether the number of a watch stands for the open file that it was registered for. Asked before each call back: a
  /// program may close a number while its file lives on elsewhere, and what has the number then is nobody's to look at.
  func namesWatchedFile(_ descriptor: IODescriptor) -> Bool

  /// It does not: the watch is over, and nothing may be reported for it any more.
  func watchIsLost(_ descriptor: IODescriptor)

  /// Ends every operation with `-ECANCELED` and releases the mechanism. No call follows.
  func close()
}

extension IOBackend {
  /// False: the system is asked.
  package var knowsWatchedFiles: Bool { false }
  /// Compares what the number stood for with what it stands for.
  package func namesWatchedFile(_ descriptor: IODescriptor) -> Bool { descriptor.isSameFile }
  /// Lets go of the descriptor.
  package func watchIsLost(_ descriptor: IODescriptor) { detach(descriptor, closing: false) }

  /// 0: this backend takes only what the system does.
  package func sendError(of descriptor: IODescriptor) -> Int { 0 }

  /// True: this backend keeps no numbers.
  package func letNumberGo(of descriptor: IODescriptor) -> Bool { true }

  /// 0: this backend takes only what the system does.
  package func takeSendError(of descriptor: IODescriptor) -> Int { 0 }

  /// False: this backend does nothing ahead.
  package func hasUnsent(_ descriptor: IODescriptor) -> Bool { false }
  /// True: this backend does nothing ahead.
  package func endReceiving(_ descriptor: IODescriptor) -> Bool { true }
  /// Nothing, and no error: this backend does nothing ahead.
  package func takeInput(of descriptor: IODescriptor, _ take: (UnsafeRawBufferPointer) -> Void) -> Int { 0 }
}
