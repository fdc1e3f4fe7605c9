internal import CAsyncIO
internal import Logging
internal import SystemPackage

// Sockets by hand. The traps:
//
// - Code that works by hand expects that a call that has returned has happened in the system: bytes that were sent are
//   in the socket's buffer, and the number may be given to other code. So nothing is queued here and the system never
//   uses the memory of a call after it: each call is made at once, and only readiness is waited for, on every backend.
// - A wait that takes nothing can be cancelled at any moment: what came stays for the next call.
// - Two waits in one direction would take each other's report (asyncio's first one hangs for ever), so the second is
//   refused. And a close ends the waits first, because the system reports nothing about a number that is gone.

/// A socket that a program drives itself, call by call. Answers Python's non-blocking `socket` together with the
/// `sock_*` coroutines of asyncio's loop.
///
/// One task at a time may receive or accept, and one may send or connect; a second one is refused with code `busy`.
/// Cancelling a task ends its wait and leaves nothing behind: what comes later is the next call's. `close()` ends
/// pending calls in any task with an ``IOError`` `.canceled`.
///
/// **Threads.** Methods may be called from any task in any thread unless they say otherwise. In tasks of the socket's
/// loop they run without a hop. The two claims guard the fields, which is what makes the unchecked conformance right.
public final class Socket: @unchecked Sendable {
  let core: BaseEventLoop
  let descriptor: IODescriptor
  let receiving: IOOperation
  let sending: IOOperation
  /// The addresses of both directions, for as long as the socket lives.
  let messages = UnsafeMutablePointer<casyncio_message>.allocate(capacity: 2)
  private let readClaim = Claim()
  private let writeClaim = Claim()

  /// The family of its addresses.
  public let family: AddressFamily
  /// Stream or datagrams.
  public let type: SocketType

  /// Create a socket on the running loop.
  ///
  /// - Parameters:
  ///   - family: the family of the addresses that it will be bound or connected to.
  ///   - type: a stream or datagrams.
  ///   - proto: the system's number of the protocol; 0 is the usual one of the type.
  /// - Throws: ``IOError``; code `noRunningLoop` outside of a loop's thread.
  public convenience init(family: AddressFamily, type: SocketType = .stream, proto: Int32 = 0) throws {
    let core = try runningCore("Socket")
    let fd = core.sockets.socket(family.rawValue, type.rawValue, proto)
    guard fd >= 0 else { throw IOError(result: Int(fd), "socket", "\(family)") }
    self.init(fd, family, type, core: core)
  }

  /// Take over a socket that was made elsewhere, on the running loop. It must be non-blocking, see
  /// ``setNonBlocking(_:)``: a call that blocks would stop the whole loop. From here on this object owns and closes it;
  /// if this throws, it stays the caller's.
  ///
  /// - Throws: code `invalidArgument` for a blocking socket and for anything but a socket, `invalidState` for the
  ///   descriptor of an open connection, `noRunningLoop` outside of a loop's thread; ``IOError`` `.badFileDescriptor`.
  public convenience init(fileDescriptor fd: Int32) throws {
    let core = try runningCore("Socket")
    let (family, type) = try Self.admit(fd, on: core)
    self.init(fd, family, type, core: core)
  }

  /// Take a non-blocking socket into the loop's care.
  init(_ fd: Int32, _ family: AddressFamily, _ type: SocketType, core: BaseEventLoop) {
    (self.core, self.family, self.type) = (core, family, type)
    descriptor = IODescriptor(fd, loop: core)
    // Each call is tried before it waits.
    descriptor.isReadable = true
    descriptor.freesAddress = true
    descriptor.isListening = (try? SocketOption.isListening.get(fd, core.sockets)) ?? false
    descriptor.isLent = descriptor.isListening
    receiving = IOOperation(.receiveFrom, on: descriptor)
    sending = IOOperation(.sendTo, on: descriptor)
    messages.initialize(repeating: casyncio_message(), count: 2)
    receiving.message = messages
    sending.message = messages + 1
    if core.isRunningInThisThread { core.backend.attach(descriptor) }
  }

  deinit {
    messages.deallocate()
    guard !descriptor.isClosed else { return }
    if core.isDebug { core.logger.warning("a socket was dropped without close(); it is closed now") }
    descriptor.close()
  }

  private static func admit(_ fd: Int32, on core: BaseEventLoop) throws -> (AddressFamily, SocketType) {
    let status = core.sockets.isNonBlocking(fd)
    guard status >= 0 else { throw IOError(result: Int(status), "Socket", "descriptor \(fd)") }
    guard let type = try? SocketOption.type.get(fd, core.sockets), let address = core.sockets.localAddress(of: fd)
    else {
      throw EventLoopError(
        .invalidArgument, "Socket: descriptor \(fd) is not a socket. Give a socket, or use addReader for it.")
    }
    if status == 0 {
      throw EventLoopError(
        .invalidArgument,
        "Socket: the socket \(fd) is blocking, and would stop the loop. Call Socket.setNonBlocking(\(fd)) first.")
    }
    if let owner = core.backend.attached(fd), !owner.isWatch, !owner.isClosed {
      throw EventLoopError(
        .invalidState, "Socket: descriptor \(fd) belongs to an open connection. Give a different socket.")
    }
    return (address.addressFamily, type)
  }

  /// Make a descriptor non-blocking, as `Socket(fileDescriptor:)` needs it. Answers `setblocking(False)`.
  public static func setNonBlocking(_ fileDescriptor: Int32) throws(IOError) {
    let status = casyncio_set_nonblocking(fileDescriptor)
    guard status >= 0 else { throw IOError(result: Int(status), "setNonBlocking", "descriptor \(fileDescriptor)") }
  }

  // MARK: State

  /// The event loop of the socket.
  public var loop: any EventLoop { core }

  /// The number, for calls that only look; -1 after the close. Answers `fileno`.
  public var fileDescriptor: Int32 { isClosed ? -1 : descriptor.fileDescriptor }

  /// True once `close()` or `detach()` was called.
  public var isClosed: Bool { descriptor.isClosed }

  // MARK: Ending

  /// Close the socket: pending operations end at once with ``IOError`` `.canceled`. Idempotent, any thread.
  public func close() { descriptor.close() }

  /// Release the number without closing it: the loop forgets it, and the caller closes it. Answers `detach`.
  ///
  /// - Throws: code `busy` while a task waits on the socket, `wrongThread` outside of the loop's thread; ``IOError``
  ///   `.badFileDescriptor` for a closed socket.
  public func detach() throws -> Int32 {
    guard core.isRunningInThisThread else { throw EventLoopError.wrongThread("detach") }
    try claimReader("detach")
    defer { releaseReader() }
    try claimWriter("detach")
    defer { releaseWriter() }
    guard descriptor.letNumberGo() else { throw IOError.closedHere("detach", "socket") }
    return descriptor.fileDescriptor
  }

  // MARK: Claims

  func claimReader(_ operation: String) throws {
    try readClaim.take(
      or: "\(operation): another task is already waiting to receive from this socket. Let one task do it.")
  }

  func releaseReader() { readClaim.release() }

  func claimWriter(_ operation: String) throws {
    try writeClaim.take(or: "\(operation): another task is already waiting to send on this socket. Let one task do it.")
  }

  func releaseWriter() { writeClaim.release() }
}

extension Socket: CustomStringConvertible {
  /// How logs show it: "Socket 127.0.0.1:7000 to 127.0.0.1:51234 (descriptor 8)", or that it is closed. Any thread.
  public var description: String { descriptor.describeSocket("Socket") }
}
