/// What is known about an error that no caller can be given. The fields answer the keys of asyncio's context
/// dictionary.
public struct ExceptionContext: Sendable, CustomStringConvertible {
  /// What happened, in a sentence.
  public var message: String
  /// The error.
  public var exception: (any Error)?
  /// The callback that threw.
  public var handle: Handle?
  /// The future or task that it is about, as text.
  public var future: String?
  /// The task that it is about, as text.
  public var task: String?
  /// The socket that it is about: "descriptor 8, 127.0.0.1:7000 to 127.0.0.1:51234". If the connection is already
  /// closed, the addresses are known in debug mode only.
  public var socket: String?
  /// The transport that it is about, as text.
  public var transport: String?
  /// The kind of protocol object that it is about.
  public var `protocol`: String?
  /// Where the handle or future was made (debug mode only).
  public var source: CallSite?
  /// For an error of an exception handler: what that handler had been given.
  public var nested: [ExceptionContext] = []

  /// Create a context of which nothing else is known yet.
  public init(message: String, exception: (any Error)? = nil) {
    self.message = message
    self.exception = exception
  }

  /// What is known, in one line.
  public var description: String {
    var parts = [message]
    if let exception { parts.append("exception: \(exception)") }
    if let future { parts.append("future: \(future)") }
    if let task { parts.append("task: \(task)") }
    if let socket { parts.append("socket: \(socket)") }
    if let transport { parts.append("transport: \(transport)") }
    if let `protocol` { parts.append("protocol: \(`protocol`)") }
    if let source { parts.append("made at: \(source)") }
    for context in nested { parts.append("while handling: \(context)") }
    return parts.joined(separator: "; ")
  }
}

/// Gets the errors that no caller can be given. Runs on the loop's thread if the error came from a callback.
public typealias ExceptionHandler = @Sendable (any EventLoop, ExceptionContext) throws -> Void
