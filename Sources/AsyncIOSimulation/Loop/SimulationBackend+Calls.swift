internal import AsyncIO
internal import SystemPackage

// What an operation can do now, without waiting.

extension SimulationBackend {
  private static var again: Int { -Int(Errno.resourceTemporarilyUnavailable.rawValue) }

  /// Attempt an operation. Returns `true` if it has ended; `result` says how.
  func attempt(_ operation: IOOperation, _ socket: SimulatedSocket) -> Bool {
    if socket.isDead { return settle(operation, -Int(Errno.networkDown.rawValue)) }
    switch operation.kind {
    case .receiveLent, .ready:
      operation.result = 0
      return network.isReadable(socket)
    case .receive: return settle(operation, network.read(socket, operation.buffer!, operation.count))
    case .accept: return attemptAccept(operation, socket)
    case .send: return attemptSend(operation, socket)
    case .connect: return attemptConnect(operation, socket)
    case .writable:
      operation.result = 0
      return network.isWritable(socket)
    case .flush: return settle(operation, 0)
    case .receiveFrom: return attemptReceiveFrom(operation, socket)
    case .sendTo: return attemptSendTo(operation, socket)
    case .read, .write: return settle(operation, -Int(Errno.invalidArgument.rawValue))
    }
  }

  private func settle(_ operation: IOOperation, _ result: Int) -> Bool {
    operation.result = result
    return result != Self.again
  }

  private func attemptAccept(_ operation: IOOperation, _ socket: SimulatedSocket) -> Bool {
    settle(operation, Int(network.accept(socket)))
  }

  private func attemptSend(_ operation: IOOperation, _ socket: SimulatedSocket) -> Bool {
    while operation.transferred < operation.count {
      let rest = UnsafeRawBufferPointer(
        start: operation.buffer! + operation.transferred, count: operation.count - operation.transferred)
      let n = network.write(socket, rest)
      if n == Self.again || n == 0 { return false }
      if n < 0 { return settle(operation, n) }
      operation.transferred += n
    }
    return settle(operation, operation.count)
  }

  private func attemptConnect(_ operation: IOOperation, _ socket: SimulatedSocket) -> Bool {
    if operation.transferred == 0 {
      operation.transferred = 1
      let bytes = UnsafeRawBufferPointer(start: operation.buffer, count: operation.count)
      guard let result = network.connect(socket, to: SocketAddress(copying: bytes)) else { return false }
      return settle(operation, Int(result))
    }
    switch socket.role {
    case .connecting: return false
    case .stream: return settle(operation, 0)
    default:
      let error = socket.error
      socket.error = 0
      return settle(operation, -Int(error == 0 ? Errno.connectionAbort.rawValue : error))
    }
  }

  // MARK: Messages

  private func attemptReceiveFrom(_ operation: IOOperation, _ socket: SimulatedSocket) -> Bool {
    guard let inbox = socket.inbox else {
      operation.messageAddressLength = 0
      operation.isMessageTruncated = false
      return settle(operation, network.read(socket, operation.buffer, operation.count))
    }
    if let error = network.takeError(socket) { return settle(operation, -Int(error)) }
    guard let datagram = inbox.take() else { return false }
    let n = min(operation.count, datagram.bytes.count)
    if n > 0 { datagram.bytes.withUnsafeBytes { operation.buffer!.copyMemory(from: $0.baseAddress!, byteCount: n) } }
    operation.isMessageTruncated = n < datagram.bytes.count
    if let room = operation.messageAddress {
      datagram.route.source.withBytes {
        room.copyMemory(from: $0)
        operation.messageAddressLength = $0.count
      }
    }
    return settle(operation, n)
  }

  private func attemptSendTo(_ operation: IOOperation, _ socket: SimulatedSocket) -> Bool {
    let bytes = UnsafeRawBufferPointer(start: operation.buffer, count: operation.count)
    guard socket.inbox != nil else { return settle(operation, network.write(socket, bytes)) }
    let length = operation.messageAddressLength
    let address =
      length == 0
      ? nil
      : operation.messageAddress.map {
        SocketAddress(copying: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer($0)[..<length]))
      }
    return settle(operation, network.sendDatagram(bytes, from: socket, to: address))
  }
}
