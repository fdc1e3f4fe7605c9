internal import CAsyncIO
internal import SystemPackage

// From a connected socket to a transport whose protocol knows it.

extension BaseEventLoop {
  /// Ask the factory for a protocol object that fits the transport of a socket.
  final func makeProtocol<Proto: ReceivingProtocol>(_ factory: () throws -> Proto) throws -> Proto {
    let proto = try factory()
    _ = try StreamTransport.reception(of: proto)
    return proto
  }

  /// Give the protocol a transport for a socket of the caller; returns when the protocol has been told. If the factory
  /// throws, or the loop closes before the protocol was told, the socket stays the caller's, as it was; with TLS every
  /// later error closes it, as the peer has heard the beginning of a handshake.
  final func makeTransport<Proto: ReceivingProtocol>(
    over fd: Int32, tls: TLSProtection?, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    let proto = try makeProtocol(factory)
    let transport = StreamTransport(fd, shortReadsDrain: casyncio_is_plain_tcp(fd) != 0, core: self)
    if tls == nil { transport.descriptor.borrow() }
    _ = sockets.setNonBlocking(fd)
    do { try await transport.descriptor.shakeHands(tls) } catch {
      transport.descriptor.close()
      throw error
    }
    return try await begin(transport, proto)
  }

  /// Do the same for a socket of the loop, which every error closes.
  final func makeTransport<Proto: ReceivingProtocol>(
    over descriptor: IODescriptor, tls: TLSProtection?, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    let proto: Proto
    do {
      try Task.checkCancellation()
      proto = try makeProtocol(factory)
      try await descriptor.shakeHands(tls)
    } catch {
      descriptor.close()
      throw error
    }
    return try await begin(StreamTransport(descriptor), proto)
  }

  private final func begin<Proto: ReceivingProtocol>(
    _ transport: StreamTransport, _ proto: Proto
  ) async throws -> (StreamTransport, Proto) {
    try transport.start(proto, isAwaited: true)
    try await transport.made("createConnection")
    return (transport, proto)
  }

  /// Report an error of a callback in the poll phase; an error that ends the run does so in the next turn.
  final func reportOrRaise(_ context: ExceptionContext) {
    guard let error = context.exception as? any InterruptError else { return callExceptionHandler(context) }
    pushReady(Handle(loop: self, site: CallSite()) { throw error })
  }

  /// Check that a descriptor of the caller can become a transport's, in a task that is not cancelled.
  final func admitSocket(_ fd: Int32, for operation: String) throws {
    try Task.checkCancellation()
    try admitSocket(fd, ofType: .stream, for: operation)
  }

  /// Check that a descriptor of the caller is a socket of a type, for streams or datagrams, and not the loop's already.
  final func admitSocket(_ fd: Int32, ofType wanted: SocketType, for operation: String) throws {
    let (kind, constant) = wanted == .stream ? ("a stream", "SOCK_STREAM") : ("a datagram", "SOCK_DGRAM")
    let type: SocketType
    do {
      type = try SocketOption.type.get(fd, sockets)
    } catch {
      if error.errno == .badFileDescriptor { throw IOError(.badFileDescriptor, operation, "descriptor \(fd)") }
      throw EventLoopError(.invalidArgument, "\(operation): descriptor \(fd) is not a socket. Give \(kind) socket.")
    }
    guard type == wanted else {
      throw EventLoopError(
        .invalidArgument, "\(operation): the socket \(fd) is not \(kind) socket. Give one made with \(constant).")
    }
    if let owner = backend.attached(fd), !owner.isWatch, !owner.isClosed {
      throw EventLoopError(
        .invalidState, "\(operation): descriptor \(fd) belongs to an open connection. Give a different socket.")
    }
  }
}
