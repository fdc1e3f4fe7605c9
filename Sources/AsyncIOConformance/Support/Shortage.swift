internal import CAsyncIO
internal import CConformance
internal import SystemPackage

/// Sockets that are made before the means to make them run out.
final class Clients: Sendable {
  private let sockets: [Int32]

  init(_ count: Int) throws {
    sockets = (0..<count).map { _ in casyncio_socket(AF_INET, casyncio_stream_type, 0) }
    for fd in sockets where fd < 0 { throw Errno(rawValue: -fd) }
  }

  deinit { for fd in sockets { _ = casyncio_close(fd) } }

  /// Connect all of them to a port of the loopback: the backlog takes them.
  func connect(to port: UInt16) throws {
    for fd in sockets {
      let status = cconformance_connect_loopback(fd, port)
      guard status == 0 || status == -EINPROGRESS else { throw Errno(rawValue: -status) }
    }
  }
}

/// A low limit of open files for this process, which can then be used up. An accept that was requested in advance may
/// go by the limit of that time, so this comes before the server.
final class Shortage: Sendable {
  private let former: UInt64
  private let taken = Box<[Int32]>([])

  init() throws {
    var former: UInt64 = 0
    let status = cconformance_limit_descriptors(64, &former)
    guard status != -ENOSYS else { throw NotOffered(why: "this system has no limit on open files") }
    guard status == 0 else { throw Errno(rawValue: -status) }
    self.former = former
  }

  deinit {
    end()
    cconformance_restore_limit(former)
  }

  /// Begin the shortage: nothing gets a descriptor from here on.
  func begin() {
    while case let number = cconformance_take_descriptor(), number >= 0 { taken.update { $0.append(number) } }
  }

  /// End the shortage.
  func end() {
    taken.update { numbers in
      for number in numbers { _ = casyncio_close(number) }
      numbers = []
    }
  }
}
