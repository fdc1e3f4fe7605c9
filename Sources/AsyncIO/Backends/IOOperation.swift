internal import CAsyncIO

/// One asynchronous operation: a record that is made once per connection and direction and used again and again.
///
/// A record is idle, in flight, or done. Its user fills the fields that its ``Kind`` names, calls `IOBackend.submit`,
/// and gets exactly one completion. Nothing here allocates and nothing here locks; that is why the fields carry no
/// exclusivity checks (a fifth of the instructions of an echo, measured).
///
/// Thread rules: the fields belong to the thread that runs the loop while the operation is in flight, and otherwise to
/// the holder of its `claim`. That is what makes the unchecked conformance right.
package final class IOOperation: @unchecked Sendable {
  /// What an operation does, and what its fields and its `result` mean then.
  package enum Kind: UInt8, Sendable {
    /// `result`: the new descriptor.
    case accept
    /// `buffer`: a socket address, `count`: its length.
    case connect
    /// `buffer` and `count`: the caller's memory. `result`: bytes received, 0 at the end of the stream.
    case receive
    /// Completes when bytes may be there; `IOBackend.claimLent` then fetches them into a buffer of the backend.
    case receiveLent
    /// `buffer` and `count`: the bytes. Ends once, with all bytes sent (`result` = `count`) or with an error.
    case send
    /// `receive` for pipes and other descriptors that are not sockets.
    case read
    /// `send` for the same.
    case write
    /// Completes with 0 when the descriptor is readable, and takes nothing: a process's (pidfd), when it has ended.
    case ready
    /// Completes with 0 when the descriptor may be written, and sends nothing. What was sent before is then on its way.
    case writable
    /// Completes with 0 when what was sent before is with the system, whether there is room for more or not; or with
    /// the error of bytes that a backend had taken and could not send, if it has not been reported.
    case flush
    /// `buffer` and `count`: room for one message; ``messageAddress`` gets its sender. `result`: its bytes, as far as
    /// there was room for them (``isMessageTruncated``). Takes nothing when it is cancelled. Of a stream: what is
    /// there.
    case receiveFrom
    /// `buffer` and `count`: one message, to ``messageAddress`` or to the connected peer. Sent whole or not at all; of
    /// a stream's bytes what the system takes at once. `result`: bytes sent. `-ENOBUFS`: no room where nobody reports
    /// it.
    case sendTo
  }

  /// In flight from a submit that answered `false` to its completion.
  package enum State: UInt8, Sendable { case idle, inFlight, done }

  /// The descriptor it works on.
  package let descriptor: IODescriptor
  /// What it does. Set before each submit.
  @exclusivity(unchecked) package var kind: Kind
  /// How far it is.
  @exclusivity(unchecked) package var state: State = .idle
  /// True while a lent chunk has not been returned. Kept in debug builds only; its place is otherwise empty.
  @exclusivity(unchecked) private var hasLent = false
  /// True while a task waits that ends the operation itself when it is cancelled. Then the cancellation of the task
  /// that owns the connection says nothing to it.
  @exclusivity(unchecked) var hasHandler = false
  /// Memory of the operation. Valid from submit to completion: the awaiting task holds it, and an await ends only
  /// with the completion.
  @exclusivity(unchecked) package var buffer: UnsafeMutableRawPointer?
  @exclusivity(unchecked) package var count = 0
  /// Bytes of a send that are already gone.
  @exclusivity(unchecked) package var transferred = 0
  /// The address of a message. The user of messages owns it; other operations have none.
  @exclusivity(unchecked) var message: UnsafeMutablePointer<casyncio_message>?
  /// The outcome: a value >= 0, or a negated errno.
  @exclusivity(unchecked) package var result = 0
  /// For the backend's own use while the operation is in flight.
  @exclusivity(unchecked) package var backendWord: UInt = 0

  /// Counts uses of the record, so that a late request to cancel does not hit the next use.
  @exclusivity(unchecked) var sequence: UInt64 = 0
  /// The task that awaits this use.
  @exclusivity(unchecked) var continuation: UnsafeContinuation<Void, Never>?
  /// Called in the poll phase, if no continuation is set. Unmanaged: it outlives its operations' uses.
  @exclusivity(unchecked) var observer: Unmanaged<OperationObserver>?

  /// Create an idle record; it may be used again and again, even with another kind.
  package init(_ kind: Kind, on descriptor: IODescriptor) {
    self.kind = kind
    self.descriptor = descriptor
  }

  /// Return whether it is the operation that a backend keeps there.
  @inline(__always)
  func isParked(in slot: Unmanaged<IOOperation>?) -> Bool {
    slot?.toOpaque() == Unmanaged.passUnretained(self).toOpaque()
  }

  /// End the operation before it was submitted.
  func end(_ result: Int) {
    assert(state != .inFlight, "an operation in flight was ended without its completion")
    state = .done
    self.result = result
  }

  /// Note that a chunk was lent: a connection holds one at most.
  @inline(__always)
  func assertLends() { assert(!noteLent(true), "a connection holds two lent chunks") }

  /// Note that the chunk goes back: once.
  @inline(__always)
  func assertReturns() { assert(noteLent(false), "a lent chunk was returned twice") }

  /// Note whether a chunk is lent, in debug builds, and return what was noted before.
  private func noteLent(_ isLent: Bool) -> Bool {
    defer { hasLent = isLent }
    return hasLent
  }

  /// Note the task that awaits this use: one, until it is resumed.
  @inline(__always)
  func park(_ continuation: UnsafeContinuation<Void, Never>) {
    assert(self.continuation == nil, "two tasks await one operation")
    self.continuation = continuation
  }

  /// End the operation: resume the awaiting task or tell the observer. Called by backends only, once per submit that
  /// answered `false`, on the loop's thread (or while the loop closes).
  @inline(__always)
  package func complete(_ result: Int) {
    precondition(state == .inFlight, "an operation completed twice")
    state = .done
    self.result = result
    if let continuation {
      self.continuation = nil
      // For the thread sanitizer, which does not see how the runtime moves a task to another thread.
      casyncio_lock_leaving(Unmanaged.passUnretained(self).toOpaque())
      continuation.resume()
    } else {
      observer?._withUnsafeGuaranteedRef { $0.operationEnded(self) }
    }
  }
}

/// Runs code inside the completion of operations, in the loop's poll phase. (A class: a call through it costs neither
/// a retain nor a look-up.)
class OperationObserver {
  /// Handle the end of an operation, which holds its result.
  func operationEnded(_ operation: IOOperation) {}
}
