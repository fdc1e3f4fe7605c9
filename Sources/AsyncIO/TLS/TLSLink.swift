internal import CAsyncIO
internal import SystemPackage

// A stream's operations over a session: what the program reads was received and decrypted here, what it writes is
// encrypted and sent here. The traps:
//
// - The peer must get whole records. So a write that is cancelled halfway leaves the rest of its record here, and that
//   goes out before anything else.
// - Reading may have to write: a handshake, an answer to a change of keys, an alert. So output has a queue of its own,
//   which belongs to no operation of the program.
// - A chunk may hold many records, half a record, or none that has bytes for the program. What was received and is not
//   decrypted yet is held here, and counts as "there" for the next read.
// - An error of the protocol is found by one operation and concerns all. The first one stays.
// - The backend knows an operation in flight by its address, so the link holds itself while one of its own is.

/// The layer of a stream that TLS protects. Loop thread only.
final class TLSLink: OperationObserver, StreamLayer {
  let core: BaseEventLoop
  /// The path on which the protected bytes travel. Right as unowned: it is the loop's backend, or a layer that the
  /// descriptor held before.
  unowned(unsafe) let below: any StreamPath
  let session: any TLSSession
  let bytes: TLSBytes
  let scratch: TLSScratch
  /// The link's own operations, on the path below.
  let receiving: IOOperation
  let sending: IOOperation

  @exclusivity(unchecked) var failure: (any Error)?
  /// The first step of the handshake was taken.
  @exclusivity(unchecked) var hasBegun = false
  /// The handshake is over.
  @exclusivity(unchecked) var isEstablished = false
  /// The peer has said goodbye.
  @exclusivity(unchecked) var peerHasEnded = false
  /// This side has.
  @exclusivity(unchecked) var hasEnded = false
  /// The path below has said that bytes may be there, and they were not fetched yet.
  @exclusivity(unchecked) var inputMayBeThere = false
  /// The system's error on the way out; 0 if there was none.
  @exclusivity(unchecked) var sendResult = 0
  /// True until an operation has reported that error.
  @exclusivity(unchecked) var owesSendResult = false

  /// The operations that wait: for the handshake, for bytes, for room. Unmanaged like those of a descriptor.
  @exclusivity(unchecked) var shaking: Unmanaged<IOOperation>?
  @exclusivity(unchecked) var reading: Unmanaged<IOOperation>?
  @exclusivity(unchecked) var writing: Unmanaged<IOOperation>?
  /// Bytes that were received and not decrypted.
  @exclusivity(unchecked) var held: [UInt8]
  /// Bytes that were encrypted, from the first one that is not known to have been sent.
  @exclusivity(unchecked) var outgoing = OutgoingBytes()
  @exclusivity(unchecked) private var isKept = false

  /// Make a layer for a descriptor whose stream has no operation in flight.
  ///
  /// - Parameter received: what the path below has brought already.
  init(
    _ descriptor: IODescriptor, _ context: TLSContext, serverName: String?, received: [UInt8]
  ) throws(TLSError) {
    core = descriptor.loop
    below = descriptor.path
    bytes = TLSBytes()
    session = try context.provided.makeSession(serverName: serverName, bytes: bytes)
    scratch = .of(descriptor.loop)
    receiving = IOOperation(.receiveLent, on: descriptor)
    sending = IOOperation(.send, on: descriptor)
    held = received
    super.init()
    receiving.observer = .passUnretained(self)
    sending.observer = .passUnretained(self)
  }

  // MARK: Operations of the stream

  /// Start an operation, see ``StreamPath``. A `ready` ends when the handshake is over.
  func submit(_ operation: IOOperation) -> Bool {
    core.assertLoopThread()
    operation.state = .done
    switch operation.kind {
    case .ready:
      if tryHandshake(operation) { return true }
      shaking = .passUnretained(operation)
    case .receive, .receiveLent:
      if tryReading(operation) { return true }
      reading = .passUnretained(operation)
    case .send:
      if trySending(operation) { return true }
      writing = .passUnretained(operation)
    case .flush, .writable:
      if outgoing.isEmpty { return below.submit(operation) }
      writing = .passUnretained(operation)
    case .accept, .connect, .read, .write, .receiveFrom, .sendTo:
      operation.result = -Int(EOPNOTSUPP)
      return true
    }
    operation.state = .inFlight
    return false
  }

  func cancel(_ operation: IOOperation) {
    if operation.isParked(in: shaking) {
      shaking = nil
    } else if operation.isParked(in: reading) {
      reading = nil
    } else if operation.isParked(in: writing) {
      writing = nil
    } else {
      return below.cancel(operation)
    }
    operation.complete(-Int(ECANCELED))
  }

  // MARK: Operations of the link

  override func operationEnded(_ operation: IOOperation) {
    if operation === sending { sent() } else { received() }
    keep()
  }

  private func received() {
    if receiving.result < 0 { return end(receiving.result) }
    // It was on its way to the next turn when the descriptor was closed.
    if receiving.descriptor.isClosed { return end(-Int(ECANCELED)) }
    inputMayBeThere = true
    if isEstablished || failure != nil { serveReading() } else { goOnWithHandshake() }
  }

  /// Ask the path below for bytes. Returns `true` if there may be some now.
  func asksForInput() -> Bool {
    if inputMayBeThere { return true }
    guard receiving.state != .inFlight else { return false }
    receiving.kind = .receiveLent
    receiving.sequence &+= 1
    inputMayBeThere = below.submit(receiving)
    keep()
    return inputMayBeThere
  }

  /// End what waits for input, and for output if nothing is on its way: the system has reported an error, or the
  /// descriptor or the loop is being closed.
  private func end(_ result: Int) {
    let waiting = [shaking, reading, sending.state == .inFlight ? nil : writing]
    shaking = nil
    reading = nil
    if sending.state != .inFlight { writing = nil }
    for operation in waiting { operation?._withUnsafeGuaranteedRef { $0.complete(result) } }
  }

  /// Stay alive while the backend, or the loop's next turn, knows an operation of the link.
  func keep() {
    let isBusy = receiving.state == .inFlight || sending.state == .inFlight
    guard isBusy != isKept else { return }
    isKept = isBusy
    if isBusy { _ = Unmanaged.passRetained(self) } else { Unmanaged.passUnretained(self).release() }
  }

  // MARK: The session

  /// Let the session work on input, hold what it leaves, note its failure, and send what it has to say.
  func withSession(_ input: UnsafeRawBufferPointer?, _ body: (any TLSSession) throws(TLSError) -> Void) {
    core.assertLoopThread()
    assert(bytes.input.isEmpty, "a session works on two inputs at once")
    if let input { bytes.input = input }
    scratch.lendOutput(to: bytes)
    do throws(TLSError) { try body(session) } catch { failure = failure ?? error }
    if input != nil {
      // After a failure or the goodbye, what follows is nobody's.
      held = failure == nil && !peerHasEnded ? Array(bytes.input) : []
      bytes.input = UnsafeRawBufferPointer(start: nil, count: 0)
    }
    send(bytes.output)
    scratch.takeOutput(from: bytes)
  }
}
