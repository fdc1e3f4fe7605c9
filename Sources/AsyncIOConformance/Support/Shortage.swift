internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Sockets that are made before the means to make them run out.
final class Clients: Sendable {
  private let sockets: [Int32]

  init(_ count: Int) throws {
    #if os(Linux) && canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    sockets = (0..<count).map { _ in socket(AF_INET, kind, 0) }
    for fd in sockets {
      guard fd >= 0 else { throw Errno(rawValue: errno) }
      _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
    }
  }

  deinit { for fd in sockets { closeSocket(fd) } }

  /// Connect all of them to a port of the loopback: the backlog takes them.
  func connect(to port: UInt16) throws {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    for fd in sockets {
      let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connectSocket(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard status == 0 || errno == EINPROGRESS else { throw Errno(rawValue: errno) }
    }
  }
}

/// A low limit of open files for this process, which can then be used up. An accept that was requested in advance may
/// go by the limit of that time, so this comes before the server.
final class Shortage: Sendable {
  private let former: rlimit
  private let taken = Box<[Int32]>([])

  init() throws {
    var limit = rlimit()
    getrlimit(Self.resource, &limit)
    former = limit
    // The system hands out the lowest free number, so this is the next one.
    let next = dup(0)
    closeSocket(next)
    limit.rlim_cur = rlim_t(next) + 64
    guard setrlimit(Self.resource, &limit) == 0 else { throw Errno(rawValue: errno) }
  }

  deinit {
    end()
    var limit = former
    setrlimit(Self.resource, &limit)
  }

  /// Begin the shortage: nothing gets a descriptor from here on.
  func begin() {
    while case let number = dup(0), number >= 0 { taken.update { $0.append(number) } }
  }

  /// End the shortage.
  func end() {
    taken.update { numbers in
      for number in numbers { closeSocket(number) }
      numbers = []
    }
  }

  #if os(Linux) && canImport(Glibc)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  #else
    private static let resource = RLIMIT_NOFILE
  #endif
}

private func closeSocket(_ fd: Int32) { _ = close(fd) }

private func connectSocket(_ fd: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
  connect(fd, address, length)
}
