// The operations of a message, which are not to pay for a layer that mostly is not there: a call through the path would
// count references, and load one more word. So these take the backend from the caller, who has it at hand, and look at
// a flag. Everything else goes through ``IODescriptor/path``.

extension IODescriptor {
  /// Start an operation, see ``StreamPath/submit(_:)``.
  @inline(__always)
  func submit(_ operation: IOOperation, _ backend: any IOBackend) -> Bool {
    hasLayer ? submitToLayer(operation) : backend.submit(operation)
  }

  /// Fetch the bytes of a lent receive, see ``StreamPath/claimLent(_:)``.
  @inline(__always)
  func claimLent(_ operation: IOOperation, _ backend: any IOBackend) -> Bool {
    hasLayer ? claimFromLayer(operation) : backend.claimLent(operation)
  }

  /// Give a lent buffer back, see ``StreamPath/returnLent(_:)``.
  @inline(__always)
  func returnLent(_ operation: IOOperation, _ backend: any IOBackend) {
    if hasLayer { returnToLayer(operation) } else { backend.returnLent(operation) }
  }

  /// Send what the system takes at once, see ``StreamPath/trySend(_:_:)``.
  @inline(__always)
  func trySend(_ bytes: UnsafeRawBufferPointer, _ backend: any IOBackend) -> Int {
    hasLayer ? tryLayer(bytes) : backend.trySend(self, bytes)
  }

  @inline(never)
  private func submitToLayer(_ operation: IOOperation) -> Bool { path.submit(operation) }
  @inline(never)
  private func claimFromLayer(_ operation: IOOperation) -> Bool { path.claimLent(operation) }
  @inline(never)
  private func returnToLayer(_ operation: IOOperation) { path.returnLent(operation) }
  @inline(never)
  private func tryLayer(_ bytes: UnsafeRawBufferPointer) -> Int { path.trySend(self, bytes) }
}
