internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

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

  func close() { for client in clients { try? FileDescriptor(rawValue: client).close() } }

  private static func connecting(to port: UInt16) -> Int32? {
    #if os(Linux) && canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    let client = socket(AF_INET, kind, 0)
    guard client >= 0 else { return nil }
    _ = fcntl(client, F_SETFL, fcntl(client, F_GETFL) | O_NONBLOCK)
    _ = fcntl(client, F_SETFD, FD_CLOEXEC)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    withUnsafePointer(to: address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return client
  }

  private static func isConnected(_ client: Int32) -> Bool {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(client, $0, &length) == 0 }
    }
  }
}

extension ConformanceSubject {
  /// Make the listener's address on 127.0.0.1 silent until the check has ended.
  func silence(port: UInt16) throws {
    guard let hole = BlackHole(port: port) else { try notOffered("this system's queues of clients have no end") }
    atEnd { hole.close() }
  }
}
