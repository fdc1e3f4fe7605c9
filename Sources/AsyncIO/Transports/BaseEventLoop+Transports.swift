internal import CAsyncIO
internal import SystemPackage

// From a connected socket to a transport whose protocol knows it.

extension BaseEventLoop {
  /// Asks the factory for a protocol object and gives it a transport for the socket. Returns when the protocol has been
  /// told. What the factory throws leaves the socket to the caller; afterwards it is the transport's.
  final func makeTransport<Proto: ReceivingProtocol>(
    over fd: Int32, _ factory: () throws -> Proto
  ) async throws -> (StreamTransport, Proto) {
    let proto = try factory()
    _ = try StreamTransport.reception(of: proto)
    let transport = StreamTransport(fd, core: self)
    try transport.start(proto)
    await transport.made()
    if isClosed { throw EventLoopError.closed("createConnection") }
    if Task.isCancelled {
      transport.close()
      throw CancellationError()
    }
    if let refusal = transport.refusal { throw refusal }
    return (transport, proto)
  }

  /// Sees that a descriptor of the caller can become a transport's, and makes it ready.
  final func admitSocket(_ fd: Int32, for operation: String) throws {
    var type: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 else {
      let error = casyncio_errno()
      if error == EBADF { throw IOError(.badFileDescriptor, operation, "descriptor \(fd)") }
      throw EventLoopError(.invalidArgument, "\(operation): descriptor \(fd) is not a socket. Give a stream socket.")
    }
    guard type == casyncio_stream_type else {
      throw EventLoopError(
        .invalidArgument, "\(operation): the socket \(fd) is not a stream socket. Give one made with SOCK_STREAM.")
    }
    if let owner = backend.attached(fd), !owner.isWatch, !owner.isClosed {
      throw EventLoopError(
        .invalidState, "\(operation): descriptor \(fd) belongs to an open connection. Give a socket of its own.")
    }
    casyncio_set_nonblocking(fd)
  }
}
