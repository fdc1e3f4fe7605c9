internal import SystemPackage

// What may stand between a connection and its socket. A layer changes bytes on their way, for TLS: the connection's
// operations go to the layer, and the layer has operations of its own on the same descriptor. The traps:
//
// - A backend knows one reading and one writing operation of a descriptor. With a layer those are the layer's, and
//   nobody else may submit to the backend.
// - Connections without a layer must not pay for those that have one. So a layer is one word of the descriptor, in
//   what was padding, and ``IOBackend`` knows nothing of it: code that submits asks the descriptor first. (A layer as
//   a second implementation of the backend's protocol cost an echo 5 % in counted references, measured.)
// - A layer may have something to say before the socket closes. Everybody else then finds the descriptor closed at
//   once, and the layer closes the number later.

/// The operations of one descriptor, for its users in place of those of ``IOBackend``. Each call means what it means
/// there. Subclassed in the rooms above.
///
/// Thread rules as for a backend: the loop's thread, except for ``returnLent(_:)`` after the close of the loop and
/// ``numberWasClosed()``.
class StreamLayer: OperationObserver {
  /// Start an operation. See ``IOBackend/submit(_:)``.
  func submit(_ operation: IOOperation) -> Bool { Self.isAbstract() }
  /// Ask for an early end. See ``IOBackend/cancel(_:)``.
  func cancel(_ operation: IOOperation) { Self.isAbstract() }
  /// Fetch the bytes of a lent receive. See ``IOBackend/claimLent(_:)``.
  func claimLent(_ operation: IOOperation) -> Bool { Self.isAbstract() }
  /// Give a lent buffer back. See ``IOBackend/returnLent(_:)``.
  func returnLent(_ operation: IOOperation) { Self.isAbstract() }
  /// Take bytes without an operation. See ``IOBackend/trySend(_:_:)``.
  func trySend(_ bytes: UnsafeRawBufferPointer) -> Int { Self.isAbstract() }
  /// End the stream after what was sent. See ``IOBackend/endWriting(_:)``.
  func endWriting() throws(Errno) { Self.isAbstract() }
  /// True if bytes that were taken are not with the system. See ``IOBackend/hasUnsent(_:)``.
  var hasUnsent: Bool { Self.isAbstract() }

  /// Why operations end with `-EPROTO`, if they do.
  var failure: (any Error)? { nil }

  /// End all operations, as the descriptor was closed. Returns `true` if the layer closes the number itself when it has
  /// said what it must.
  func takesOverClose() -> Bool { false }

  /// Release what belongs to the number, which was closed. Any thread, if the loop is closed.
  func numberWasClosed() {}

  private static func isAbstract() -> Never { preconditionFailure("a layer has to say what it does") }
}
