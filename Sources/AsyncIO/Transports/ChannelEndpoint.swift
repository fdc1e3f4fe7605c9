internal import CAsyncIO
internal import SystemPackage

// What the endpoints of channels have in common, streams, datagrams and pipes: the waits, the names, the options. They
// decide nothing: a framework with channels of its own asks, and is told. The face is `@_spi(Channels)`: it may change
// with any version, and only a package that pins this one should use it.
//
// - A wait holds the object: the backend knows its records by their addresses. Without a wait nothing here does.
// - A wait for input that nobody wants any more may still bring something. It stays here, and comes next.

/// What the owner of a ``ChannelEndpoint`` is told. In the thread that runs the loop, in the poll phase.
@_spi(Channels)
public protocol ChannelSocketOwner: AnyObject {
  /// Take input: the endpoint has something to say.
  func inputIsThere()
  /// Look: the peer has ended its stream, or it has failed, while nobody waits for input. ``ChannelSocket/awaitEnd()``
  /// has asked for that.
  func peerHasEnded()
  /// Go on: what was waited for has come. The result is 0, or a negated errno.
  func outputIsPossible(_ result: Int)
  /// Note that nobody can read what is written from here on. Pipes only.
  func peerHasGone()
}

/// What a channel of bytes asks of its endpoint: a ``ChannelSocket`` or a ``ChannelPipe``. Loop thread.
@_spi(Channels)
public protocol ChannelStream: ChannelEndpoint {
  /// Take what is there. Returns how many bytes, 0 at the end of the stream, or a negated errno; `-EAGAIN` if nothing
  /// is there.
  func takeInput(into memory: UnsafeMutableRawBufferPointer) -> Int
  /// Look for the end of the input even while nobody waits for it. Returns `true` if it has come already.
  func awaitEnd() -> Bool
  /// Look for a failure after the end of the input, which was taken: the owner is told as of an end. Returns `true` if
  /// it has come already.
  func awaitFailure() -> Bool
  /// Send what is taken now. Returns how many bytes, 0 if none are taken, or a negated errno. `exactly`: what counts as
  /// sent is with the system.
  func send(_ bytes: UnsafeRawBufferPointer, exactly: Bool) -> Int
  /// Give to the system what was taken and is not with it yet. Returns `false` if it has no room for all.
  func sendTaken() -> Bool
  /// Send bytes of a file. Returns how many, or a negated errno, `-ENOSYS` if the program has to read them itself.
  func sendFile(_ file: Int32, from offset: Int64, count: Int) -> Int
  /// Wait until the system takes more. Idempotent.
  func awaitOutput()
  /// End the output after what was sent. Throws ``IOError``.
  func endWriting() throws(IOError)
  /// Receive nothing more. Throws ``IOError``.
  func endReading() throws(IOError)
}

/// What has an owner that keeps the books: ``ChannelSocket``, ``ChannelDatagramSocket``, ``ChannelPipe``. Loop thread.
@_spi(Channels)
public class ChannelEndpoint {
  final let core: BaseEventLoop
  final let sockets: any SocketCalls
  final let descriptor: IODescriptor
  final let receiving: IOOperation
  final let sending: IOOperation
  private final let relay = Relay()
  /// Who is told. Held until the close.
  public final var owner: (any ChannelSocketOwner)?

  /// True if a wait has ended whose result was not fetched yet.
  final var isThere = false
  /// True while an end of a wait for input is on its way that nobody waits for any more.
  final var isUnwanted = false
  private final var isHeldByWait: ChannelEndpoint?

  private final class Relay: OperationObserver {
    /// Right because an endpoint holds itself while a wait of it is in flight.
    unowned(unsafe) var endpoint: ChannelEndpoint?
    override func operationEnded(_ operation: IOOperation) { endpoint?.ended(operation) }
  }

  init(_ descriptor: IODescriptor, receiving: IOOperation, sending: IOOperation) {
    core = descriptor.loop
    sockets = core.sockets
    (self.descriptor, self.receiving, self.sending) = (descriptor, receiving, sending)
    relay.endpoint = self
    receiving.observer = .passUnretained(relay)
    sending.observer = .passUnretained(relay)
  }

  deinit { descriptor.close() }

  /// Put the socket into the loop's care. Loop thread, once.
  public func begin() { core.backend.attach(descriptor) }

  /// Close the socket, and tell the owner nothing more. Idempotent. Loop thread, or before ``begin()``.
  public func close() {
    owner = nil
    descriptor.close()
  }

  // MARK: Waiting

  /// Wait for input. Idempotent; the owner is told in a later turn, or in this one's poll.
  public func awaitInput() {}

  /// Stop waiting for input. What comes stays where it is.
  public final func stopAwaitingInput() {
    guard receiving.state == .inFlight else { return }
    isUnwanted = true
    core.backend.cancel(receiving)
    hold()
  }

  @inline(__always)
  final func submit(_ operation: IOOperation, _ kind: IOOperation.Kind) -> Bool {
    operation.kind = kind
    operation.sequence &+= 1
    return core.backend.submit(operation)
  }

  final func hold() {
    isHeldByWait = isBusy ? self : nil
  }

  /// True while a wait is in flight.
  var isBusy: Bool { receiving.state == .inFlight || sending.state == .inFlight }

  private final func ended(_ operation: IOOperation) {
    // The owner may release this object.
    withExtendedLifetime(self) {
      if operation === receiving { inputEnded() } else { outputEnded() }
      hold()
    }
  }

  func inputEnded() {}

  func outputEnded() { owner?.outputIsPossible(min(sending.result, 0)) }

  // MARK: Names and options

  /// Its own address; nil if it has none, or is closed.
  public final var localAddress: SocketAddress? { open { sockets.localAddress(of: $0) } ?? nil }
  /// The peer's address; nil if it has none, or is closed.
  public final var remoteAddress: SocketAddress? { open { sockets.peerAddress(of: $0) } ?? nil }

  private final func open<Value>(_ body: (Int32) -> Value) -> Value? {
    descriptor.isClosed ? nil : body(descriptor.fileDescriptor)
  }

  final func check(_ operation: String, _ body: (Int32) -> Int32) throws(IOError) {
    guard !descriptor.isClosed else { throw .closedHere(operation, "socket") }
    let result = body(descriptor.fileDescriptor)
    if result < 0 { throw IOError(result: Int(result), operation, "descriptor \(descriptor.fileDescriptor)") }
  }

  /// Give the socket its address. Throws ``IOError``.
  public final func bind(to address: SocketAddress) throws(IOError) {
    guard !descriptor.isClosed else { throw .closedHere("bind", "socket") }
    try sockets.bind(descriptor.fileDescriptor, to: address)
  }

  /// Set an option of words of 32 bits. Throws ``IOError``.
  public final func setOption(_ level: Int32, _ name: Int32, _ words: [Int32]) throws(IOError) {
    try check("setsockopt") { sockets.setOption($0, level, name, words) }
  }

  /// Get an option. `words` is its size in words of 32 bits, from 1 to 64. Throws ``IOError``.
  public final func option(_ level: Int32, _ name: Int32, words count: Int) throws(IOError) -> [Int32] {
    guard (1...64).contains(count) else { throw IOError(.invalidArgument, "getsockopt", "an option of \(count) words") }
    var words = [Int32](repeating: 0, count: count)
    try check("getsockopt") { sockets.getOption($0, level, name, &words) }
    return words
  }
}
