import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Two connected stream sockets that do not block. Closes what is left when it goes away.
final class SocketPair: @unchecked Sendable {
  // Right because a test closes an end in one place only.
  let a: Int32
  let b: Int32
  private var open: Set<Int32>

  convenience init() throws { try self.init(firstEnd: nil) }

  /// A pair whose first end has a number that nobody else in this process is given: the kernel hands out the lowest.
  convenience init(apart: Void) throws { try self.init(firstEnd: 600) }

  /// A pair whose first end has a number that was just closed, of a pair that was made `apart`.
  convenience init(reusing number: Int32) throws {
    try self.init(firstEnd: number)
    try #require(a == number, "\(number) was not closed")
  }

  /// - Parameter lowest: the first end has this number or the next one that is free.
  private init(firstEnd lowest: Int32?) throws {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else {
      throw Errno(rawValue: casyncio_errno())
    }
    if let lowest {
      let moved = fcntl(ends[0], F_DUPFD, lowest)
      try #require(moved >= 0)
      _ = CAsyncIO.close(ends[0])
      ends[0] = moved
    }
    a = ends[0]
    b = ends[1]
    open = [a, b]
    for end in ends {
      casyncio_set_nonblocking(end)
      casyncio_set_close_on_exec(end)
    }
  }

  deinit { for end in open { _ = CAsyncIO.close(end) } }

  func close(_ end: Int32) {
    open.remove(end)
    _ = CAsyncIO.close(end)
  }

  /// Somebody else closes it from here on.
  func release(_ end: Int32) { open.remove(end) }

  func write(_ count: Int, to end: Int32) {
    let bytes = [UInt8](repeating: 7, count: count)
    #expect(CAsyncIO.write(end, bytes, count) == count)
  }

  /// Write until it would block; the bytes of one write, or -1.
  func fill(_ end: Int32) -> Int {
    let bytes = [UInt8](repeating: 0, count: 65536)
    return CAsyncIO.write(end, bytes, bytes.count)
  }

  /// Read what has arrived; returns the number of bytes, or -1.
  @discardableResult
  func read(_ count: Int = 4096, from end: Int32) -> Int {
    var bytes = [UInt8](repeating: 0, count: count)
    return CAsyncIO.read(end, &bytes, count)
  }
}

/// Expect that the call is refused with this code.
func expectRefusal<R>(
  _ code: EventLoopError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> R
) {
  do {
    _ = try body()
    Issue.record("expected a refusal with code \(code)", sourceLocation: sourceLocation)
  } catch {
    #expect((error as? EventLoopError)?.code == code, "\(error)", sourceLocation: sourceLocation)
  }
}

#if os(Linux)
  /// The masks that an epoll instance has registered, by descriptor.
  func interests(of epoll: Int32) -> [Int32: UInt32] {
    guard let file = fopen("/proc/self/fdinfo/\(epoll)", "r") else { return [:] }
    defer { fclose(file) }
    var interests: [Int32: UInt32] = [:]
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
      // "tfd:        5 events:       19 data: … "
      let fields = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
        .split { $0 == " " || $0 == ":" }
      guard fields.first == "tfd", fields.count >= 4 else { continue }
      interests[Int32(fields[1])!] = UInt32(fields[3], radix: 16)
    }
    return interests
  }

  /// The epoll instance that knows the descriptor after the body, among all of this process.
  func epollDescriptor(interestedIn descriptor: Int32, after body: () throws -> Void) rethrows -> Int32? {
    try body()
    return (0..<20_000).first { interests(of: $0)[descriptor] != nil }
  }
#endif

/// A listening socket of the system that no loop knows.
func listen(on address: SocketAddress, backlog: Int32) throws -> Int32 {
  var request = ListenRequest()
  request.backlog = backlog
  return try Listeners.open(AddressInfo(address), request, SystemSockets.shared).fd
}

/// A socket with a connection. The system makes it while the loop does not turn; the socket does not block afterwards.
func connectBlocking(to address: SocketAddress) throws -> Int32 {
  let number = casyncio_socket(AF_INET, Int32(casyncio_stream_type), 0)
  casyncio_set_blocking(number)
  try #require(address.withSockaddr { CAsyncIO.connect(number, $0, $1) } == 0)
  casyncio_set_nonblocking(number)
  return number
}
