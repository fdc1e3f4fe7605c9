internal import AsyncIO
internal import SystemPackage

// The operations of a loop over the simulated network: tried at once, as a system does it, and parked if they would
// have to wait. The traps:
//
// - A completion resumes tasks and calls observers, which may submit, cancel and close anything. So an operation leaves
//   its place before it is completed, and a place is looked at anew after each completion.
// - A cancel may end at once or with the next poll; in the latter case the operation may still succeed. Callers must be
//   ready for both, and a simulation shows both.
// - The clock moves here and nowhere else: to the next event if there is nothing to do, and a little in each turn that
//   has something to do, so that a program that waits by yielding makes progress.

/// The backend of a simulation. In the loop's thread; that is what makes the unchecked conformance right.
final class SimulationBackend: IOBackend, @unchecked Sendable {
  let network: SimulatedNetwork
  private var attachments: [Int32: IODescriptor] = [:]
  private var memory: [UnsafeMutableRawPointer] = []
  private var isClosed = false
  /// Called when a run begins or ends in this thread.
  var onRun: (_ begins: Bool) -> Void = { _ in }
  /// Called when the loop is closed.
  var onClose: () -> Void = {}
  /// Called when there is nothing to do, and nothing will happen by itself.
  var onDeadlock: () -> Void = {}

  /// What a turn costs in simulated time.
  private static var turnNanoseconds: Int64 { 1_000 }
  private static var chunk: Int { 64 * 1024 }

  init(_ network: SimulatedNetwork) { self.network = network }

  var name: String { "simulation" }
  var capabilities: IOCapabilities { [.streamSockets, .datagrams, .subMillisecondWaits] }

  func runWillBegin() throws(Errno) { onRun(true) }
  func runDidEnd() { onRun(false) }
  func wake() {}

  // MARK: Polling

  func poll(timeout: Int64) throws(Errno) {
    if timeout == 0 || network.hasNotes {
      network.clock.pointee += Self.turnNanoseconds
    } else {
      jump(timeout)
    }
    network.advance { socket in
      if let operation = socket.reading { serve(operation, socket, isCancelled: socket.isReadingCancelled) }
      if let operation = socket.writing { serve(operation, socket, isCancelled: socket.isWritingCancelled) }
      if socket.reading == nil, let descriptor = attachments[socket.number], hasEnd(descriptor) { descriptor.tellEnd() }
    }
  }

  /// Move the clock to the next event.
  private func jump(_ timeout: Int64) {
    let limit: Int64? = timeout < 0 ? nil : network.now.addingReportingOverflow(timeout).partialValue
    // Without a timer only the network can end the wait, and if it has nothing to deliver, nothing ever will.
    if limit == nil, network.isIdle { return onDeadlock() }
    switch (network.events.nextTime, limit) {
    case (let event?, let limit?): network.clock.pointee = max(network.now, min(event, limit))
    case (let time?, nil), (nil, let time?): network.clock.pointee = max(network.now, time)
    case (nil, nil): break
    }
  }

  private func serve(_ operation: IOOperation, _ socket: SimulatedSocket, isCancelled: Bool) {
    if attempt(operation, socket) {
      end(operation, socket, operation.result)
    } else if isCancelled {
      end(operation, socket, -Int(Errno.canceled.rawValue))
    }
  }

  /// Take the operation out of its place, and complete it.
  private func end(_ operation: IOOperation, _ socket: SimulatedSocket, _ result: Int) {
    if operation.kind.isReading {
      socket.reading = nil
      socket.isReadingCancelled = false
    } else {
      socket.writing = nil
      socket.isWritingCancelled = false
    }
    operation.complete(result)
  }

  // MARK: Operations

  func submit(_ operation: IOOperation) -> Bool {
    let number = operation.descriptor.fileDescriptor
    guard let socket = network.socket(number) else {
      // A number of the system, such as a pipe's, has no place in this world.
      let isForeign = number < SimulatedNetwork.firstNumber
      return finish(operation, -Int((isForeign ? Errno.notSupported : .badFileDescriptor).rawValue))
    }
    if attempt(operation, socket) {
      operation.state = .done
      return true
    }
    operation.state = .inFlight
    if operation.kind.isReading {
      precondition(socket.reading == nil, "two operations wait to read one descriptor")
      socket.reading = operation
    } else {
      precondition(socket.writing == nil, "two operations wait to write one descriptor")
      socket.writing = operation
    }
    return false
  }

  private func finish(_ operation: IOOperation, _ result: Int) -> Bool {
    operation.result = result
    operation.state = .done
    return true
  }

  func cancel(_ operation: IOOperation) {
    guard operation.state == .inFlight, let socket = network.socket(operation.descriptor.fileDescriptor) else { return }
    let isReading = socket.reading === operation
    guard isReading || socket.writing === operation else { return }
    if network.strike(.lateCancellations) {
      if isReading { socket.isReadingCancelled = true } else { socket.isWritingCancelled = true }
      network.noteSocket(socket)
    } else {
      end(operation, socket, -Int(Errno.canceled.rawValue))
    }
  }

  func trySend(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int {
    guard let socket = network.socket(descriptor.fileDescriptor) else { return -Int(Errno.badFileDescriptor.rawValue) }
    let n = network.write(socket, bytes)
    return n == -Int(Errno.resourceTemporarilyUnavailable.rawValue) ? 0 : n
  }

  func watchEnd(of descriptor: IODescriptor) -> Bool {
    hasEnd(descriptor)
  }

  /// True at the end of the stream; after it, only after a failure.
  private func hasEnd(_ descriptor: IODescriptor) -> Bool {
    guard let stream = network.socket(descriptor.fileDescriptor)?.stream else { return false }
    return descriptor.knowsEnd ? stream.error != 0 : stream.isOver
  }

  func endWriting(_ descriptor: IODescriptor) throws(Errno) {
    guard let end = network.socket(descriptor.fileDescriptor)?.stream else { throw .socketNotConnected }
    let result = network.endWriting(end)
    if result < 0 { throw Errno(rawValue: -result) }
  }

  // MARK: Lent receiving

  func claimLent(_ operation: IOOperation) -> Bool {
    operation.buffer = nil
    guard let socket = network.socket(operation.descriptor.fileDescriptor) else {
      operation.result = -Int(Errno.badFileDescriptor.rawValue)
      return true
    }
    if network.strike(.spuriousReadiness) { return false }
    let buffer = memory.popLast() ?? .allocate(byteCount: Self.chunk, alignment: 64)
    let n = network.read(socket, buffer, Self.chunk)
    operation.result = n
    if n > 0 {
      operation.buffer = buffer
      operation.count = Self.chunk
      return true
    }
    memory.append(buffer)
    return n != -Int(Errno.resourceTemporarilyUnavailable.rawValue)
  }

  func returnLent(_ operation: IOOperation) {
    guard let buffer = operation.buffer else { return }
    operation.buffer = nil
    if isClosed { buffer.deallocate() } else { memory.append(buffer) }
  }

  // MARK: Descriptors

  func attach(_ descriptor: IODescriptor) { attachments[descriptor.fileDescriptor] = descriptor }
  func attached(_ fileDescriptor: Int32) -> IODescriptor? { attachments[fileDescriptor] }

  func detach(_ descriptor: IODescriptor, closing: Bool) {
    if attachments[descriptor.fileDescriptor] === descriptor { attachments[descriptor.fileDescriptor] = nil }
    guard let socket = network.socket(descriptor.fileDescriptor) else { return }
    let cancelled = -Int(Errno.canceled.rawValue)
    if let operation = socket.reading, operation.descriptor === descriptor {
      end(operation, socket, cancelled)
    }
    if let operation = socket.writing, operation.descriptor === descriptor {
      end(operation, socket, cancelled)
    }
  }

  /// Refuse: descriptors of the system have no place in a simulated world.
  func watch(_ descriptor: IODescriptor, readable: Bool, writable: Bool) throws(Errno) { throw .notSupported }

  func close() {
    isClosed = true
    let cancelled = -Int(Errno.canceled.rawValue)
    for case let socket? in network.sockets {
      if let operation = socket.reading { end(operation, socket, cancelled) }
      if let operation = socket.writing { end(operation, socket, cancelled) }
    }
    attachments = [:]
    for buffer in memory { buffer.deallocate() }
    memory = []
    network.dismantle()
    onClose()
    (onRun, onDeadlock, onClose) = ({ _ in }, {}, {})
  }
}

extension IOOperation.Kind {
  /// True if it waits for what comes in.
  var isReading: Bool {
    switch self {
    case .receive, .receiveLent, .accept, .read, .ready, .receiveFrom: true
    case .send, .connect, .write, .writable, .flush, .sendTo: false
    }
  }
}
