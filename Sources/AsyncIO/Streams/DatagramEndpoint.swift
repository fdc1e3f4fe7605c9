internal import CAsyncIO
internal import Synchronization

/// A socket for datagrams on an event loop: UDP, or Unix datagrams. Answers what `create_datagram_endpoint` makes, as
/// calls; ``DatagramTransport`` is the same as callbacks.
///
/// Every datagram is sent and received whole. Whether it arrives is not promised. If an earlier datagram met an error
/// (`.connectionRefused`, for a connected endpoint), the next `receive` or `send` throws it, and the endpoint goes on
/// working.
///
/// One task at a time may receive and one may send; a second one is refused with code `busy`. Cancelling a receive
/// loses no datagram. `close()` ends pending calls in any task with an error.
///
/// **Threads.** Methods may be called from any task in any thread, unless they say otherwise. The buffer is guarded by
/// the socket's claim, which is what makes the unchecked conformance right.
public final class DatagramEndpoint: @unchecked Sendable {
  let socket: Socket
  /// The only address that datagrams go to; nil for an endpoint that sends to many.
  public let remoteAddress: SocketAddress?
  private let isConnected: Bool
  /// The socket's file, removed with the endpoint.
  private let file: UnixSocketFile?
  private let isFileRemoved = Atomic<Bool>(false)
  /// Room for the longest datagram, allocated at the first receive. Guarded by the claim to receive.
  @exclusivity(unchecked) private var memory: UnsafeMutableRawBufferPointer?

  private init(_ open: OpenDatagramSocket, core: BaseEventLoop) {
    socket = Socket(open.fd, open.family, .datagram, core: core)
    (remoteAddress, isConnected, file) = (open.remote, open.isConnected, open.file)
  }

  /// Take over a datagram socket, with its address and its peer as they are. Throws code `invalidArgument` for a socket
  /// of another type.
  public init(_ socket: Socket) throws {
    guard socket.type == .datagram else {
      throw EventLoopError(
        .invalidArgument, "DatagramEndpoint: the socket is not one for datagrams. Give one of type .datagram.")
    }
    self.socket = socket
    remoteAddress = socket.peerAddress
    isConnected = remoteAddress != nil
    file = nil
  }

  deinit {
    if !socket.isClosed { removeFile() }
    memory?.deallocate()
  }

  // MARK: Making

  /// Open an endpoint with an address of its own, on the running loop.
  ///
  /// - Parameters:
  ///   - host: a name or a literal address; nil and "" are every interface. Of several addresses, the first that can be
  ///     bound is taken.
  ///   - port: 0 lets the system choose, see ``localAddress``.
  ///   - family: only addresses of this family; IPv4 comes first otherwise when `host` is nil.
  ///   - reusePort: share the port with other sockets of this user.
  ///   - broadcast: allow datagrams to broadcast addresses.
  /// - Throws: ``ResolutionError``, ``IOError``; code `invalidArgument` if the system has no `reusePort`;
  ///   `noRunningLoop` outside of a loop's thread.
  public static func bind(
    host: String? = nil, port: UInt16, family: AddressFamily = .unspecified, reusePort: Bool = false,
    broadcast: Bool = false
  ) async throws -> DatagramEndpoint {
    var request = DatagramRequest(local: .host(host, port: port), family: family)
    (request.reusePort, request.broadcast) = (reusePort, broadcast)
    return try await open(request, "DatagramEndpoint.bind")
  }

  /// Open an endpoint at an address, for instance a Unix path: a stale socket file there is replaced, and the file is
  /// removed with the endpoint. See ``bind(host:port:family:reusePort:broadcast:)``.
  public static func bind(
    to address: SocketAddress, reusePort: Bool = false, broadcast: Bool = false
  ) async throws -> DatagramEndpoint {
    var request = DatagramRequest(local: .address(address))
    (request.reusePort, request.broadcast) = (reusePort, broadcast)
    return try await open(request, "DatagramEndpoint.bind")
  }

  /// Open an endpoint that talks to one address only, on the running loop: datagrams from others do not arrive.
  ///
  /// - Parameters:
  ///   - host: a name or a literal address. Every family is tried in which both ends have an address.
  ///   - port: the port there.
  ///   - localHost: a name or a literal address of this machine to send from; nil leaves it to the system.
  ///   - localPort: 0 leaves it to the system.
  ///   - family: only addresses of this family.
  ///   - broadcast: the address is a broadcast address. The answers to a broadcast come from other addresses, so
  ///     datagrams from everywhere arrive.
  /// - Throws: as ``bind(host:port:family:reusePort:broadcast:)``.
  public static func connect(
    host: String, port: UInt16, localHost: String? = nil, localPort: UInt16 = 0, family: AddressFamily = .unspecified,
    broadcast: Bool = false
  ) async throws -> DatagramEndpoint {
    var request = DatagramRequest(remote: .host(host, port: port), family: family)
    if localHost != nil || localPort != 0 { request.local = .host(localHost, port: localPort) }
    request.broadcast = broadcast
    return try await open(request, "DatagramEndpoint.connect")
  }

  /// Open an endpoint that talks to one address only. A Unix endpoint can only be answered if it has a `local` address.
  public static func connect(
    to address: SocketAddress, from local: SocketAddress? = nil, broadcast: Bool = false
  ) async throws -> DatagramEndpoint {
    var request = DatagramRequest(local: local.map { .address($0) }, remote: .address(address))
    request.broadcast = broadcast
    return try await open(request, "DatagramEndpoint.connect")
  }

  private static func open(_ request: DatagramRequest, _ operation: String) async throws -> DatagramEndpoint {
    try await checkpoint()
    let core = try runningCore(operation)
    var request = request
    request.operation = operation
    return DatagramEndpoint(try await DatagramSockets.open(request, on: core), core: core)
  }

  // MARK: State

  /// The event loop of the endpoint.
  public var loop: any EventLoop { socket.core }
  /// True once `close()` was called.
  public var isClosed: Bool { socket.isClosed }
  /// The address of this side; nil for a closed endpoint. Any thread.
  public var localAddress: SocketAddress? { socket.localAddress }
  /// The value of an option of the socket. See ``Socket/get(_:)``.
  public func get<Value: Sendable>(_ option: SocketOption<Value>) throws -> Value { try socket.get(option) }
  /// Set an option of the socket. See ``Socket/set(_:to:)``.
  public func set<Value: Sendable>(_ option: SocketOption<Value>, to value: Value) throws {
    try socket.set(option, to: value)
  }

  /// End pending calls, and close the socket. What was sent is on its way. Idempotent, any thread.
  public func close() {
    removeFile()
    socket.close()
  }

  /// Remove the socket's file while the socket is open, see ``UnixSocketFile``.
  private func removeFile() {
    guard let file, !isFileRemoved.exchange(true, ordering: .relaxed) else { return }
    file.remove(socket.core.logger)
  }

  // MARK: Sending

  /// Send a datagram; returns when the system has taken it.
  ///
  /// - Parameters:
  ///   - bytes: the payload; may be empty.
  ///   - address: the receiver. An endpoint with a ``remoteAddress`` needs none, and refuses any other one.
  /// - Throws: code `invalidArgument` for an address that is missing or is not the remote one, `busy`; ``IOError``:
  ///   `.messageTooLong` for more than the protocol or the socket can send at a time, and errors that earlier datagrams
  ///   met; `CancellationError`.
  public func send(_ bytes: RawSpan, to address: SocketAddress? = nil) async throws {
    let receiver = try receiver(address)
    try socket.claimWriter("send")
    defer { socket.releaseWriter() }
    // Right because the caller lends the bytes until this call returns.
    try await socket.sendDatagramClaimed(bytes.withUnsafeBytes { $0 }, to: receiver, "send")
  }

  /// Send an array as one datagram. See ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: [UInt8], to address: SocketAddress? = nil) async throws {
    try await send(bytes.span.bytes, to: address)
  }

  /// Send a span as one datagram, without a copy. See ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: Span<UInt8>, to address: SocketAddress? = nil) async throws {
    try await send(bytes.bytes, to: address)
  }

  /// Send a sequence of bytes as one datagram. Arrays, their slices and UTF-8 views are sent in place; any other
  /// sequence is copied into an array first. See ``send(_:to:)-(RawSpan,_)``.
  public func send(_ bytes: some Sequence<UInt8>, to address: SocketAddress? = nil) async throws {
    try await withBytesForWait(of: bytes) { try await send($0, to: address) }
  }

  /// Return the address to give to the system.
  private func receiver(_ address: SocketAddress?) throws(EventLoopError) -> SocketAddress? {
    guard let remoteAddress else {
      if let address { return address }
      throw EventLoopError(.invalidArgument, "send: the endpoint has no remote address. Give one with each datagram.")
    }
    if let address, address != remoteAddress {
      throw EventLoopError(
        .invalidArgument,
        "send: the endpoint sends to \(remoteAddress) only, not to \(address). Leave the address out.")
    }
    return isConnected ? nil : remoteAddress
  }

  // MARK: Receiving

  /// Wait for the next datagram. Throws ``IOError`` (errors that sent datagrams met; the endpoint goes on working),
  /// code `busy`, `CancellationError`.
  public func receive() async throws -> Datagram {
    try await withDatagram { Datagram(bytes: $0.withUnsafeBytes { Array($0) }, address: $1) }
  }

  /// Call the body with the next datagram and return what the body returns. The bytes are in memory of the endpoint
  /// until then. Throws as ``receive()``, and what the body throws.
  public func withDatagram<Result>(
    _ body: (RawSpan, SocketAddress) async throws -> Result
  ) async throws -> Result {
    try socket.claimReader("receive")
    defer { socket.releaseReader() }
    return try await receiveClaimed(body)
  }

  /// Call the body with one datagram after another, each in memory of the endpoint until the body returns, until the
  /// endpoint is closed or the task is cancelled. An error that a sent datagram met also ends the call; call it again
  /// to go on.
  ///
  /// Throws what the body throws, ``IOError`` (`.canceled` for a close), code `busy`, `CancellationError`.
  public func forEachDatagram(_ body: (RawSpan, SocketAddress) async throws -> Void) async throws {
    try socket.claimReader("receive")
    defer { socket.releaseReader() }
    while true { try await receiveClaimed(body) }
  }

  private func receiveClaimed<Result>(
    _ body: (RawSpan, SocketAddress) async throws -> Result
  ) async throws -> Result {
    let memory = room()
    let n = try await socket.receiveClaimed(memory, "receive")
    // Right because the memory is this call's until it returns.
    return try await body(UnsafeRawBufferPointer(rebasing: memory[..<n]).bytes, socket.sender)
  }

  private func room() -> UnsafeMutableRawBufferPointer {
    if let memory { return memory }
    let count = DatagramSockets.room(for: socket.family)
    let made = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
    memory = made
    return made
  }
}

extension DatagramEndpoint: CustomStringConvertible {
  /// How logs show it: "DatagramEndpoint 127.0.0.1:7000 (descriptor 8)", with the remote address if there is one, or
  /// that it is closed. Any thread.
  public var description: String { socket.descriptor.describeSocket("DatagramEndpoint", peer: remoteAddress) }
}
