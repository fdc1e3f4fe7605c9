internal import CAsyncIO

/// The sockets of the operating system.
final class SystemSockets: SocketCalls {
  static let shared = SystemSockets()

  private init() {}

  func socket(_ family: Int32, _ type: Int32, _ proto: Int32) -> Int32 { casyncio_socket(family, type, proto) }
  func accept(_ fd: Int32) -> Int32 { casyncio_accept(fd) }

  func bind(_ fd: Int32, _ address: SocketAddress) -> Int32 {
    address.withSockaddr { casyncio_bind(fd, $0, $1) }
  }

  func listen(_ fd: Int32, _ backlog: Int32) -> Int32 { casyncio_listen(fd, backlog) }

  func connect(_ fd: Int32, _ address: SocketAddress) -> Int32 {
    address.withSockaddr { casyncio_connect(fd, $0, $1) }
  }

  func localAddress(of fd: Int32) -> SocketAddress? { .local(of: fd) }
  func peerAddress(of fd: Int32) -> SocketAddress? { .peer(of: fd) }

  func getOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ words: inout [Int32]) -> Int32 {
    min(0, casyncio_get_option(fd, level, name, &words, socklen_t(words.count * MemoryLayout<Int32>.size)))
  }

  func setOption(_ fd: Int32, _ level: Int32, _ name: Int32, _ words: [Int32]) -> Int32 {
    casyncio_set_option(fd, level, name, words, socklen_t(words.count * MemoryLayout<Int32>.size))
  }

  func shutdown(_ fd: Int32, _ how: Int32) -> Int32 { casyncio_shutdown(fd, how) }

  func sendFile(_ fd: Int32, _ file: Int32, _ offset: Int64, _ count: Int) -> Int64 {
    casyncio_sendfile(fd, file, offset, count)
  }

  func undeliveredBytes(of fd: Int32) -> Int { Int(casyncio_undelivered_bytes(fd)) }

  func transferredBytes(of fd: Int32) -> TransferredBytes? {
    var bytes = TransferredBytes()
    return casyncio_transferred_bytes(fd, &bytes.received, &bytes.sent) == 0 ? bytes : nil
  }

  func isNonBlocking(_ fd: Int32) -> Int32 { casyncio_is_nonblocking(fd) }
  func setNonBlocking(_ fd: Int32) -> Int32 { casyncio_set_nonblocking(fd) }
  func close(_ fd: Int32) { _ = casyncio_close(fd) }

  var ofCaller: any SocketCalls { self }
  var hasFileSystem: Bool { true }
}
