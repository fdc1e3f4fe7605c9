internal import CAsyncIO
internal import SystemPackage

// Transports for another language's runtime, see `Core/Loop/Embedding.swift`. Its own futures say when a connection is
// there, so it needs forms that do not wait, and decides by itself when input begins: in asyncio's order, the task that
// has asked for a connection goes on before the first byte is delivered.

@_spi(Embedding)
extension BaseEventLoop {
  /// Give a connected stream socket a transport, whose protocol is told in the next turn. With `isAwaited`, input
  /// begins with ``BaseTransport/beginInput()``. The socket becomes non-blocking and belongs to the transport, unless
  /// this throws. Loop thread, or while the loop does not run.
  public final func embeddedTransport(
    over socket: Int32, isAwaited: Bool, _ proto: any ReceivingProtocol
  ) throws -> StreamTransport {
    if isClosed { throw EventLoopError.closed("createConnection") }
    try admitSocket(socket, for: "createConnection")
    let transport = StreamTransport(socket, shortReadsDrain: casyncio_is_plain_tcp(socket) != 0, core: self)
    _ = sockets.setNonBlocking(socket)
    try transport.start(proto, isAwaited: isAwaited)
    return transport
  }

  /// Connect to a host and port, as `createConnection` does with all errors; the protocol has been told when this
  /// returns, and input has not begun.
  public final func embeddedConnection(
    host: String, port: UInt16, family: AddressFamily, proto: Int32, flags: AddressInfoFlags,
    localHost: String?, localPort: UInt16, happyEyeballsDelay: Duration?, interleave: Int?,
    _ factory: () throws -> any ReceivingProtocol
  ) async throws -> StreamTransport {
    try await checkpoint()
    var request = ConnectRequest(host: host, port: port)
    (request.family, request.proto, request.flags) = (family, proto, flags)
    (request.localHost, request.localPort) = (localHost, localPort)
    (request.happyEyeballsDelay, request.interleave) = (happyEyeballsDelay, interleave)
    (request.allErrors, request.operation) = (true, "createConnection")
    let descriptor = try await Connector.connect(request, on: self)
    do {
      try Task.checkCancellation()
      // A task of a closed loop goes on in another thread, where nothing of the other runtime may be called.
      if isClosed { throw EventLoopError.closed("createConnection") }
      let proto = try factory()
      let transport = StreamTransport(descriptor)
      try transport.start(proto, isAwaited: true)
      try await transport.waitUntilMade("createConnection")
      return transport
    } catch {
      descriptor.close()
      throw error
    }
  }

  /// Give a datagram socket a transport, as for a stream socket. With `remote`, datagrams go there only.
  public final func embeddedDatagramTransport(
    over socket: Int32, remote: SocketAddress?, isAwaited: Bool, _ proto: some DatagramProtocol
  ) throws -> DatagramTransport {
    if isClosed { throw EventLoopError.closed("createDatagramEndpoint") }
    var request = DatagramRequest()
    request.operation = "createDatagramEndpoint"
    let admitted = try admitDatagramSocket(socket, request)
    let opened = OpenDatagramSocket(
      fd: socket, family: admitted.family, remote: admitted.remote ?? remote, isConnected: admitted.isConnected,
      file: nil)
    let transport = DatagramTransport(opened, core: self)
    _ = sockets.setNonBlocking(socket)
    try transport.start(proto, isAwaited: isAwaited)
    return transport
  }

  /// Give the reading end of a pipe a transport, as for a stream socket.
  public final func embeddedReadPipe(
    over pipe: Int32, isAwaited: Bool, _ proto: some StreamProtocol
  ) throws -> ReadPipeTransport {
    if isClosed { throw EventLoopError.closed("connectReadPipe") }
    let transport = try ReadPipeTransport(pipe, core: self)
    try transport.start(proto, isAwaited: isAwaited)
    return transport
  }

  /// Give the writing end of a pipe a transport, as for a stream socket.
  public final func embeddedWritePipe(
    over pipe: Int32, isAwaited: Bool, _ proto: some BaseProtocol
  ) throws -> WritePipeTransport {
    if isClosed { throw EventLoopError.closed("connectWritePipe") }
    let transport = try WritePipeTransport(pipe, core: self)
    try transport.start(proto, isAwaited: isAwaited)
    return transport
  }

  /// Accept clients of a bound socket, which belongs to the server from here on unless this throws. The factory makes
  /// a protocol object for each client. Loop thread.
  public final func embeddedServer(
    over socket: Int32, backlog: Int32, _ factory: @escaping () throws -> any ReceivingProtocol
  ) throws -> Server {
    if isClosed { throw EventLoopError.closed("createServer") }
    let listening = try listeningSockets(over: socket, backlog: backlog, listens: true)
    let areTCP = listening.areTCP
    let server = Server(listening) { [unowned self] fd in
      let proto = try factory()
      let transport = StreamTransport(fd, shortReadsDrain: areTCP, core: self)
      try transport.start(proto)
      return transport
    }
    try server.start("createServer")
    return server
  }
}

@_spi(Embedding)
extension BaseEventLoop {
  /// True if the number belongs to a connection or a transport of the loop. Loop thread, or while it does not run.
  public final func ownsDescriptor(_ fileDescriptor: Int32) -> Bool {
    guard let owner = backend.attached(fileDescriptor) else { return false }
    return !owner.isWatch && !owner.isClosed
  }
}

@_spi(Embedding)
extension BaseTransport {
  /// Begin the input of a transport that is awaited. Idempotent. Loop thread, or while the loop does not run.
  public final func beginInput() { handOver() }

  /// End the transport: what waits to be sent is dropped, and the protocol is told of the error. Unlike ``abort()``,
  /// the peer of a TCP socket sees what the system makes of a close: an end, if nothing is left unread. Loop thread, or
  /// while the loop does not run.
  public final func end(with error: (any Error)?) { fail(error) }
}

@_spi(Embedding)
extension StreamTransport {
  /// The descriptor of the socket; -1 once it is closed.
  public final var socketNumber: Int32 { descriptor.isClosed ? -1 : descriptor.fileDescriptor }
}

@_spi(Embedding)
extension SocketAddress {
  /// Copy an address in the system's form.
  public init(copyingSockaddr bytes: UnsafeRawBufferPointer) { self.init(copying: bytes) }

  /// Lend the address in the system's form.
  public func withSockaddrBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
    withSockaddr { body(UnsafeRawBufferPointer(start: $0, count: Int($1))) }
  }
}
