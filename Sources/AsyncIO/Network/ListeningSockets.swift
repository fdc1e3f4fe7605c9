internal import CAsyncIO
internal import Synchronization
internal import SystemPackage

/// Bound sockets in the care of a loop, with a record for each to accept with: the base of a server.
///
/// `close()` and the properties from any thread, the records in the loop's. The fields do not change, which is what
/// makes the unchecked conformance right.
final class ListeningSockets: @unchecked Sendable {
  let core: BaseEventLoop
  let descriptors: [IODescriptor]
  let accepting: [IOOperation]
  /// The addresses, ports filled in.
  let addresses: [SocketAddress]
  /// True if their connections are TCP connections.
  let areTCP: Bool
  private let backlog: Int32
  private let isListening: Atomic<Bool>
  private let files: [UnixSocketFile]
  private let filesAreGone = Atomic<Bool>(false)

  init(_ sockets: [BoundSocket], backlog: Int32, isListening: Bool, core: BaseEventLoop) {
    self.core = core
    self.backlog = backlog
    self.isListening = Atomic(isListening)
    descriptors = sockets.map { IODescriptor($0.fd, loop: core) }
    accepting = descriptors.map { IOOperation(.accept, on: $0) }
    addresses = sockets.map(\.address)
    areTCP = sockets.allSatisfy { $0.address.isIP && casyncio_is_plain_tcp($0.fd) != 0 }
    files = sockets.compactMap(\.file)
    for (descriptor, socket) in zip(descriptors, sockets) {
      descriptor.isListening = true
      descriptor.isLent = socket.isLent
      descriptor.freesAddress = true
      core.backend.attach(descriptor)
    }
  }

  deinit {
    close()
    // Accepts may be in flight; their records must outlive the close, which comes later if it is from another thread.
    let records = accepting
    core.perform { _ in withExtendedLifetime(records) {} }
  }

  var isClosed: Bool { descriptors.allSatisfy(\.isClosed) }

  /// The addresses in words, for reports and errors.
  var names: String { addresses.map(\.description).joined(separator: ", ") }

  /// Let clients connect, if they cannot yet. Any thread.
  func listen(_ operation: String) throws(IOError) {
    if isListening.load(ordering: .acquiring) && !isClosed { return }
    for (descriptor, address) in zip(descriptors, addresses) {
      let result = core.withNumber(of: descriptor) { number in
        Result { () throws(IOError) in try core.sockets.listen(number, backlog: backlog, address) }
      }
      guard let result else { throw .closedHere(operation, "listener") }
      try result.get()
    }
    isListening.store(true, ordering: .releasing)
  }

  /// Remove the files, end pending operations and close the sockets. Idempotent, any thread.
  func close() {
    if !filesAreGone.exchange(true, ordering: .relaxed) {
      for file in files { file.remove(core.logger) }
    }
    for descriptor in descriptors { descriptor.close() }
  }
}

extension ListeningSockets: CustomStringConvertible {
  /// The addresses, and the descriptors while they are open. Any thread.
  var description: String {
    let numbers = descriptors.filter { !$0.isClosed }.map { "\($0.fileDescriptor)" }
    if numbers.isEmpty { return "\(names) (closed)" }
    return "\(names) (descriptor\(numbers.count == 1 ? "" : "s") \(numbers.joined(separator: ", ")))"
  }
}
