internal import CAsyncIO
internal import CConformance

/// Clients that fill the queue of a listener on 127.0.0.1, until further ones wait in vain: an address that does not
/// answer, without leaving the machine.
final class BlackHole: Sendable {
  private let clients: [Int32]

  /// - Parameter port: the port of a listener with a short backlog, which accepts nothing.
  init?(port: UInt16) {
    var clients: [Int32] = []
    var isFull = false
    // Over the loopback a connection is made inside the call; the first one that is not has found the queue full.
    while !isFull && clients.count < 64 {
      guard let client = Self.connecting(to: port) else { break }
      clients.append(client)
      isFull = !Self.isConnected(client)
    }
    self.clients = clients
    if !isFull {
      close()
      return nil
    }
  }

  func close() { for client in clients { _ = casyncio_close(client) } }

  private static func connecting(to port: UInt16) -> Int32? {
    let client = casyncio_socket(AF_INET, casyncio_stream_type, 0)
    guard client >= 0 else { return nil }
    _ = cconformance_connect_loopback(client, port)
    return client
  }

  private static func isConnected(_ client: Int32) -> Bool { cconformance_peer_port(client) >= 0 }
}

extension ConformanceSubject {
  /// Make the listener's address on 127.0.0.1 silent until the check has ended.
  func silence(port: UInt16) throws {
    guard let hole = BlackHole(port: port) else { try notOffered("this system's queues of clients have no end") }
    atEnd { hole.close() }
  }
}
