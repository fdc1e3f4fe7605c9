internal import SystemPackage

/// Calls on sockets that do not wait and are made a few times in a socket's life: to create it, to name it, to set it
/// up and to close it. What is done for every message is the backend's.
///
/// The system answers them, or a simulated network, which then is also behind the loop's backend. Results are values >=
/// 0 or negated errno values.
///
/// Any thread, for numbers that are open, unless ``isForAnyThread`` says otherwise.
package protocol SocketCalls: AnyObject, Sendable {
  /// Create a non-blocking socket.
  func socket(_ family: Int32, _ type: Int32, _ proto: Int32) -> Int32
  func bind(_ fd: Int32, _ address: SocketAddress) -> Int32
  func listen(_ fd: Int32, _ backlog: Int32) -> Int32
  /// Connect a datagram socket: what is sent goes there, and nothing from elsewhere is received.
  func connect(_ fd: Int32, _ address: SocketAddress) -> Int32
  /// Accept the next connection, non-blocking; returns `-EAGAIN` if there is none.
  func accept(_ fd: Int32) -> Int32
  func localAddress(of fd: Int32) -> SocketAddress?
  func peerAddress(of fd: Int32) -> SocketAddress?
  func getOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ words: inout [Int32]) -> Int32
  func setOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ words: [Int32]) -> Int32
  /// - Parameter how: `SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`.
  func shutdown(_ fd: Int32, _ how: Int32) -> Int32
  /// Send bytes of a file from an offset on, at most `count`; returns `-ENOSYS` if the program has to do it itself.
  func sendFile(_ fd: Int32, _ file: Int32, _ offset: Int64, _ count: Int) -> Int64
  /// Return the number of bytes that were sent and that the peer's system has not taken; 0 if a system cannot tell.
  func undeliveredBytes(of fd: Int32) -> Int
  /// Return what a TCP connection has received and sent so far; `nil` for other sockets, and if a system cannot tell.
  func transferredBytes(of fd: Int32) -> TransferredBytes?
  /// Return 1 if calls on the number do not wait, 0 if they do.
  func isNonBlocking(_ fd: Int32) -> Int32
  func setNonBlocking(_ fd: Int32) -> Int32
  func close(_ fd: Int32)

  /// The calls of the current caller: for code that creates sockets later, in a callback. A simulated network has many
  /// hosts.
  var ofCaller: any SocketCalls { get }

  /// True if paths of Unix sockets are paths of this machine.
  var hasFileSystem: Bool { get }

  /// False if only the loop's thread may use it while a loop runs.
  var isForAnyThread: Bool { get }
}

/// Bytes that TCP has moved; the end of a stream may count as one.
package struct TransferredBytes: Equatable, Sendable {
  package var received: UInt64 = 0
  package var sent: UInt64 = 0

  package init() {}

  package static func += (total: inout TransferredBytes, more: TransferredBytes) {
    total.received &+= more.received
    total.sent &+= more.sent
  }
}

extension SocketCalls {
  package var isForAnyThread: Bool { true }

  package func transferredBytes(of fd: Int32) -> TransferredBytes? { nil }

  /// Create a non-blocking socket for a result of a look-up.
  func open(for info: AddressInfo) throws(IOError) -> Int32 {
    let fd = socket(info.family.rawValue, info.type.rawValue, info.proto)
    guard fd >= 0 else { throw IOError(result: Int(fd), "socket", "\(info.address)") }
    return fd
  }

  /// Give a socket its address.
  func bind(_ fd: Int32, to address: SocketAddress) throws(IOError) {
    let result = bind(fd, address)
    if result < 0 { throw IOError(result: Int(result), "bind", "\(address)") }
  }

  /// Let a bound socket take connections; a second call changes the backlog.
  func listen(_ fd: Int32, backlog: Int32, _ address: SocketAddress) throws(IOError) {
    let result = listen(fd, backlog)
    if result < 0 { throw IOError(result: Int(result), "listen", "\(address)") }
  }

  /// Turn an option on. Returns nil if it is on.
  func enable(_ option: SocketOption<Bool>, _ fd: Int32) -> Errno? {
    let result = setOption(fd, option.level, option.name, [1])
    return result < 0 ? Errno(rawValue: -result) : nil
  }

  /// Send small messages without waiting for the acknowledgement of earlier ones. Fails on sockets that are not TCP,
  /// where it means nothing.
  func setNoDelay(_ fd: Int32) { _ = enable(.noDelay, fd) }
}
