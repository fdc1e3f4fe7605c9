internal import CAsyncIO
internal import SystemPackage

// A socket for a framework that has channels of its own, with its own rules for when to read, what to write, and what
// to tell whom. So this decides nothing: it makes the calls that the framework asks for, waits when it is asked to, and
// tells of the end of the wait. The face is `@_spi(Channels)`: it may change with any version, and only a package that
// pins this one should use it.
//
// - The framework reads into memory that it has chosen. Where a backend receives ahead, a chunk may be larger than that
//   memory; the rest is held here and comes next.
// - What a backend has taken to send, and has not sent yet, counts as sent: it goes out after a close as well. An error
//   of it is the answer to the next write, or to a read.

/// A stream socket, listening or connecting or connected, whose owner keeps the books. Loop thread.
@_spi(Channels)
public final class ChannelSocket: ChannelEndpoint, ChannelStream {
  /// True unless it is a Unix socket.
  public let isTCP: Bool
  /// True if a short receive has taken everything, also of the connections of a listening socket: not on Unix sockets,
  /// and not with several paths.
  private let shortReadsDrain: Bool

  /// The rest of a chunk that was larger than the memory it was asked for with.
  private var held = UnsafeRawBufferPointer(start: nil, count: 0)
  private let receivesAtOnce: Bool
  /// The address of a connect in flight.
  private var address: UnsafeMutableRawBufferPointer?
  /// The file of a listening Unix socket, which goes with it.
  var file: UnixSocketFile?

  /// True once the end is looked for.
  var watchesEnd = false

  final class EndRelay: EndObserver {
    weak let socket: ChannelSocket?
    init(_ socket: ChannelSocket) { self.socket = socket }
    override func peerHasEnded() { socket?.peerEnded() }
  }

  // MARK: Making

  /// Create a socket that does not block, to bind to an address or connect to it. Throws ``IOError``.
  ///
  /// - Parameter proto: the system's number of the protocol; 0 is the usual one of the address's family.
  public static func open(
    for address: SocketAddress, proto: Int32 = 0, on loop: BaseEventLoop
  ) throws(IOError) -> ChannelSocket {
    let fd = try loop.sockets.ofCaller.open(for: AddressInfo(address, proto: proto))
    return ChannelSocket(fd, isTCP: !address.isUnix, shortReadsDrain: !address.isUnix && proto == 0, on: loop)
  }

  /// The number of the protocol of TCP over several paths; nil if the platform has none. A system of the platform may
  /// still refuse it.
  public static var multipathProtocol: Int32? {
    let number = casyncio_multipath_tcp()
    return number == 0 ? nil : number
  }

  /// Make way for the bind of a Unix socket: remove the file of one whose program has gone. Any other file stays, and
  /// the bind fails on it. In a task of the loop.
  public static func removeStale(at address: SocketAddress, on loop: BaseEventLoop) async throws {
    try await checkpoint()
    try await UnixSocketFile.removeStale(at: address, on: loop)
  }

  /// A connection that a listening socket has taken.
  public struct Accepted: Sendable {
    let number: Int32
    let isTCP: Bool
    let shortReadsDrain: Bool
  }

  /// Make the socket of a connection that was taken: it is closed with this object. ``begin()`` comes before everything
  /// that waits. Any thread.
  public convenience init(_ accepted: Accepted, on loop: BaseEventLoop) {
    self.init(accepted.number, isTCP: accepted.isTCP, shortReadsDrain: accepted.shortReadsDrain, on: loop)
  }

  init(_ fileDescriptor: Int32, isTCP: Bool, shortReadsDrain: Bool, on loop: BaseEventLoop) {
    (self.isTCP, self.shortReadsDrain) = (isTCP, shortReadsDrain)
    receivesAtOnce = loop.backend.capabilities.contains(.immediateReceives)
    let descriptor = IODescriptor(fileDescriptor, loop: loop)
    super.init(
      descriptor, receiving: IOOperation(.receiveLent, on: descriptor), sending: IOOperation(.writable, on: descriptor))
    descriptor.shortReadsDrain = shortReadsDrain
  }

  deinit { address?.deallocate() }

  // MARK: Connecting and accepting

  /// Connect. Returns 0 if that is done, a negated errno if it has failed, and nil if the owner will be told.
  public func connect(to remote: SocketAddress) -> Int? {
    core.assertLoopThread()
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(remote.length), alignment: 16)
    remote.withSockaddr { memory.copyMemory(from: UnsafeRawBufferPointer(start: $0, count: Int($1))) }
    address?.deallocate()
    address = memory
    (sending.buffer, sending.count) = (memory.baseAddress, memory.count)
    guard !submit(sending, .connect) else { return sending.result }
    hold()
    return nil
  }

  /// Take the next connection. Returns nil if there is none: the owner will be told of the next. Throws ``IOError``.
  public func takeConnection() throws(IOError) -> Accepted? {
    guard receiving.state != .inFlight else { return nil }
    defer { hold() }
    guard isThere || submit(receiving, .accept) else { return nil }
    isThere = false
    if receiving.result >= 0 {
      return Accepted(number: Int32(receiving.result), isTCP: isTCP, shortReadsDrain: shortReadsDrain)
    }
    if receiving.result == -Int(EAGAIN) { return nil }
    throw IOError(result: receiving.result, "accept")
  }

  /// Wait for a connection.
  public func awaitConnection() { awaitReceiving(.accept) }

  // MARK: Input

  /// Wait for input. Idempotent.
  public override func awaitInput() { awaitReceiving(.receiveLent) }

  private func awaitReceiving(_ kind: IOOperation.Kind) {
    core.assertLoopThread()
    guard !descriptor.isClosed else { return }
    isUnwanted = false
    guard receiving.state != .inFlight else { return }
    if isThere || !held.isEmpty || submit(receiving, kind) { core.completeNextTurn(receiving) }
    hold()
  }

  /// Take what is there. Returns how many bytes, 0 at the end of the stream, or a negated errno; `-EAGAIN` if nothing
  /// is there: then ``awaitInput()`` waits for more.
  public func takeInput(into memory: UnsafeMutableRawBufferPointer) -> Int {
    core.assertLoopThread()
    guard !descriptor.isClosed else { return -Int(EBADF) }
    if !held.isEmpty { return takeHeld(memory) }
    guard receiving.state != .inFlight else { return -Int(EAGAIN) }
    if isThere && receiving.result < 0 { return takeResult() }
    if receivesAtOnce {
      isThere = false
      return core.backend.tryReceive(descriptor, into: memory)
    }
    while true {
      if !isThere { guard submit(receiving, .receiveLent) else { return waitsAlready() } }
      let result = takeResult()
      guard result >= 0 else { return result }
      guard core.backend.claimLent(receiving) else { continue }
      guard receiving.result > 0 else { return receiving.result }
      held = UnsafeRawBufferPointer(start: receiving.buffer, count: receiving.result)
      return takeHeld(memory)
    }
  }

  private func takeResult() -> Int {
    isThere = false
    return receiving.result
  }

  /// The wait that was begun by asking goes on: nothing gets lost, and the owner may want it.
  private func waitsAlready() -> Int {
    hold()
    return -Int(EAGAIN)
  }

  private func takeHeld(_ memory: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(held.count, memory.count)
    memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: held[..<count]))
    held = UnsafeRawBufferPointer(rebasing: held[count...])
    if held.isEmpty { core.backend.returnLent(receiving) }
    return count
  }

  // MARK: Ends

  /// Close the socket, and tell the owner nothing more. What was sent is sent on; a peer sees the end, or a reset if it
  /// has sent what was not read. Idempotent. Loop thread, or before ``begin()``.
  public override func close() {
    owner = nil
    descriptor.endObserver = nil
    if !held.isEmpty {
      held = UnsafeRawBufferPointer(start: nil, count: 0)
      core.backend.returnLent(receiving)
    }
    dropConnection()
    file?.remove(core.logger)
    file = nil
    super.close()
  }

  /// Close a connection that was accepted and that nobody takes any more.
  private func dropConnection() {
    guard isThere, receiving.kind == .accept, receiving.result >= 0 else { return }
    isThere = false
    sockets.close(Int32(receiving.result))
  }

  override func inputEnded() {
    // With a chunk held, the wait was for the next turn only.
    if held.isEmpty { isThere = receiving.result != -Int(ECANCELED) }
    if descriptor.isClosed { return dropConnection() }
    if isUnwanted { return }
    if receiving.result == -Int(ECANCELED) { return }
    owner?.inputIsThere()
  }
}
