internal import SystemPackage

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Two connected stream sockets that do not block.
public final class SocketPair: Sendable {
  /// One end, the one that a check watches.
  public let near: Int32
  /// The other.
  public let far: Int32
  private let closed = Box<Set<Int32>>([])

  init() throws {
    var ends: [Int32] = [-1, -1]
    #if os(Linux) && canImport(Glibc)
      let kind = Int32(SOCK_STREAM.rawValue)
    #else
      let kind = SOCK_STREAM
    #endif
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw Errno(rawValue: errno) }
    near = ends[0]
    far = ends[1]
    for end in ends {
      _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
  }

  /// Send bytes to the other side of an end. Returns how many went out, -1 for an error.
  @discardableResult
  public func write(_ count: Int = 1, to end: Int32) -> Int {
    let bytes = [UInt8](repeating: 7, count: count)
    return send(end, bytes, count, Int32(MSG_NOSIGNAL))
  }

  /// Send until the system takes no more.
  public func fill(_ end: Int32) { while write(65536, to: end) > 0 {} }

  /// Read what is there. Returns how many bytes, -1 for an error.
  @discardableResult
  public func read(_ count: Int = 4096, from end: Int32) -> Int {
    var bytes = [UInt8](repeating: 0, count: count)
    return recv(end, &bytes, count, 0)
  }

  /// Read what is there; empty if nothing is, or at the end of the stream.
  public func bytes(from end: Int32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = recv(end, &bytes, bytes.count, 0)
    return count > 0 ? Array(bytes[..<count]) : []
  }

  /// Whether the other side has sent its last byte and everything was read.
  public func isAtEnd(_ end: Int32) -> Bool {
    var byte: UInt8 = 0
    return recv(end, &byte, 1, Int32(MSG_PEEK)) == 0
  }

  /// Close one end; the other side sees the end of the stream.
  public func close(_ end: Int32) {
    guard closed.update({ $0.insert(end).inserted }) else { return }
    closeDescriptor(end)
  }

  /// Release an end: other code closes it from here on.
  public func release(_ end: Int32) { _ = closed.update { $0.insert(end).inserted } }
}

extension ConformanceSubject {
  /// Make two connected sockets, which are closed after the check.
  public func socketPair() throws -> SocketPair {
    let pair = try SocketPair()
    atEnd {
      pair.close(pair.near)
      pair.close(pair.far)
    }
    return pair
  }
}

private func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }
