import Glibc
import NIOCore
import Testing

/// A Unix socket in the hands of a test.
final class RawPeer: @unchecked Sendable {
  // Right because a test uses it from one thread at a time.
  private let listening: RawSocket
  private var connection: CInt = -1
  private let path: String
  private var countRead = 0
  private(set) var isInOrder = true
  private(set) var hasEnded = false

  init() throws {
    path = "/tmp/asyncio-raw-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    listening = try RawSocket.bound(try NIOCore.SocketAddress(unixDomainSocketPath: path), listens: true)
  }

  deinit {
    listening.close()
    if connection >= 0 { Glibc.close(connection) }
    unlink(path)
  }

  var address: NIOCore.SocketAddress { get throws { try NIOCore.SocketAddress(unixDomainSocketPath: path) } }

  /// Take the connection, which has been made.
  func accept() {
    connection = Glibc.accept(listening.number, nil, nil)
    _ = fcntl(connection, F_SETFL, O_NONBLOCK)
    _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
  }

  /// The number of bytes that have come, read or not.
  var count: Int {
    var waiting: CInt = 0
    _ = withUnsafeMutablePointer(to: &waiting) { ioctl(connection, UInt(FIONREAD), $0) }
    return countRead + Int(waiting)
  }

  func send(_ count: Int) {
    _ = Glibc.send(connection, [UInt8](repeating: 1, count: count), count, CInt(MSG_NOSIGNAL))
  }

  /// Read what has come, and no more than a limit of bytes.
  func read(_ limit: Int) {
    var left = limit
    var memory = [UInt8](repeating: 0, count: 65_536)
    while left > 0, !hasEnded {
      let n = recv(connection, &memory, min(left, memory.count), 0)
      if n < 0 { return }
      hasEnded = n == 0
      isInOrder = isInOrder && Numbered.isEqual(ByteBuffer(bytes: memory[..<n]), from: countRead)
      countRead += n
      left -= n
    }
  }

  func readAll() { read(Int.max) }

  /// Read until the end, for at most ten seconds.
  func readToEnd() async {
    for _ in 0..<10_000 where !hasEnded {
      readAll()
      if !hasEnded { try? await Task.sleep(for: .milliseconds(1)) }
    }
  }
}
