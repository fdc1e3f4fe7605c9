internal import CAsyncIO
internal import CConformance
internal import SystemPackage

/// Two connected stream sockets that do not block.
public final class SocketPair: Sendable {
  /// One end, the one that a check watches.
  public let near: Int32
  /// The other.
  public let far: Int32
  private let closed = Box<Set<Int32>>([])

  init() throws {
    var ends: [Int32] = [-1, -1]
    let status = cconformance_socket_pair(&ends)
    guard status == 0 else { throw Errno(rawValue: -status) }
    near = ends[0]
    far = ends[1]
  }

  /// Send bytes to the other side of an end. Returns how many went out, -1 for an error.
  @discardableResult
  public func write(_ count: Int = 1, to end: Int32) -> Int {
    let bytes = [UInt8](repeating: 7, count: count)
    return casyncio_send_once(end, bytes, count)
  }

  /// Send until the system takes no more.
  public func fill(_ end: Int32) { while write(65536, to: end) > 0 {} }

  /// Read what is there. Returns how many bytes, -1 for an error.
  @discardableResult
  public func read(_ count: Int = 4096, from end: Int32) -> Int {
    var bytes = [UInt8](repeating: 0, count: count)
    return casyncio_receive_once(end, &bytes, count)
  }

  /// Read what is there; empty if nothing is, or at the end of the stream.
  public func bytes(from end: Int32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = casyncio_receive_once(end, &bytes, bytes.count)
    return count > 0 ? Array(bytes[..<count]) : []
  }

  /// Whether the other side has sent its last byte and everything was read.
  public func isAtEnd(_ end: Int32) -> Bool { cconformance_is_at_end(end) != 0 }

  /// Close one end; the other side sees the end of the stream.
  public func close(_ end: Int32) {
    guard closed.update({ $0.insert(end).inserted }) else { return }
    _ = casyncio_close(end)
  }

  /// Release an end: other code closes it from here on.
  public func release(_ end: Int32) { _ = closed.update { $0.insert(end).inserted } }
}

/// A socket that listens on the loopback, for several owners: a supervisor and its workers share one like this.
struct SharedListener {
  let port: UInt16
  private let descriptor: Int32

  /// Make one; the check's own descriptor is closed after it.
  init(_ subject: ConformanceSubject) throws {
    var descriptor: Int32 = -1
    let port = cconformance_listen_on_loopback(&descriptor)
    guard port >= 0 else { throw Errno(rawValue: -port) }
    subject.atEnd { [descriptor] in _ = casyncio_close(descriptor) }
    (self.port, self.descriptor) = (UInt16(port), descriptor)
  }

  /// Return another descriptor of it, for a server.
  func share() throws -> Int32 {
    let other = cconformance_duplicate_socket(descriptor)
    guard other >= 0 else { throw Errno(rawValue: -other) }
    return other
  }
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
