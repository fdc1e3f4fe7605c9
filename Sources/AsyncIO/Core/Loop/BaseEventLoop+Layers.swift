internal import SystemPackage

// Where operations of connections go: to the layer of their descriptor, if it has one, else to the backend. Everything
// that can have a layer comes through here; what cannot, like listening sockets, datagrams and pipes, asks the backend
// itself.

extension BaseEventLoop {
  /// Start an operation, see ``IOBackend/submit(_:)``.
  @inline(__always)
  final func submit(_ operation: IOOperation) -> Bool {
    if let layer = operation.descriptor.heldLayer { return layer._withUnsafeGuaranteedRef { $0.submit(operation) } }
    return backend.submit(operation)
  }

  /// Ask for an early end, see ``IOBackend/cancel(_:)``.
  final func cancel(_ operation: IOOperation) {
    if let layer = operation.descriptor.layer { layer.cancel(operation) } else { backend.cancel(operation) }
  }

  /// Fetch the bytes of a lent receive, see ``IOBackend/claimLent(_:)``.
  @inline(__always)
  final func claimLent(_ operation: IOOperation) -> Bool {
    if let layer = operation.descriptor.heldLayer { return layer._withUnsafeGuaranteedRef { $0.claimLent(operation) } }
    return backend.claimLent(operation)
  }

  /// Give a lent buffer back, see ``IOBackend/returnLent(_:)``.
  @inline(__always)
  final func returnLent(_ operation: IOOperation) {
    if let layer = operation.descriptor.heldLayer { return layer._withUnsafeGuaranteedRef { $0.returnLent(operation) } }
    backend.returnLent(operation)
  }

  /// Send what is taken without waiting, see ``IOBackend/trySend(_:_:)``.
  @inline(__always)
  final func trySend(_ descriptor: IODescriptor, _ bytes: UnsafeRawBufferPointer) -> Int {
    if let layer = descriptor.heldLayer { return layer._withUnsafeGuaranteedRef { $0.trySend(bytes) } }
    return backend.trySend(descriptor, bytes)
  }

  /// End the stream after everything that was sent, see ``IOBackend/endWriting(_:)``.
  final func endWriting(_ descriptor: IODescriptor) throws(Errno) {
    if let layer = descriptor.layer { try layer.endWriting() } else { try backend.endWriting(descriptor) }
  }

  /// Return whether bytes that were taken are not with the system yet, see ``IOBackend/hasUnsent(_:)``.
  @inline(__always)
  final func hasUnsent(_ descriptor: IODescriptor) -> Bool {
    if let layer = descriptor.heldLayer { return layer._withUnsafeGuaranteedRef { $0.hasUnsent } }
    return backend.hasUnsent(descriptor)
  }
}
