import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

let datagramType = casyncio_datagram_type

/// UDP sockets on the loopback, and pairs of Unix ones, in the hands of a test.
enum Datagrams {
  /// A bound UDP socket that does not block.
  static func socket() throws -> (number: Int32, address: SocketAddress) {
    let number = casyncio_socket(AF_INET, datagramType, 0)
    try #require(number >= 0)
    let any = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 0))
    try #require(any.withSockaddr { CAsyncIO.bind(number, $0, $1) } == 0)
    return (number, try #require(SocketAddress.local(of: number)))
  }

  /// Two connected Unix datagram sockets that do not block.
  static func pair() throws -> (Int32, Int32) {
    var ends: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, datagramType, 0, &ends) == 0)
    for end in ends {
      casyncio_set_nonblocking(end)
      casyncio_set_close_on_exec(end)
    }
    return (ends[0], ends[1])
  }

  static func send(_ bytes: [UInt8], from number: Int32, to address: SocketAddress) -> Int {
    address.withSockaddr { sendto(number, bytes, bytes.count, 0, $0, $1) }
  }

  /// The bytes of the next datagram; nil if there is none.
  static func receive(from number: Int32) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 70_000)
    let n = recv(number, &bytes, bytes.count, Int32(MSG_DONTWAIT))
    return n < 0 ? nil : Array(bytes.prefix(n))
  }

  /// An address that nothing listens on.
  static func deadAddress() throws -> SocketAddress {
    let (number, address) = try socket()
    _ = close(number)
    return address
  }
}

/// An operation on messages with memory of its own.
final class MessageOperation: @unchecked Sendable {
  // Right because the tests use it in the loop's thread only.
  let operation: IOOperation
  private let memory: UnsafeMutableRawBufferPointer
  private let record = UnsafeMutablePointer<casyncio_message>.allocate(capacity: 1)

  init(_ kind: IOOperation.Kind, on descriptor: IODescriptor, count: Int = 2048) {
    operation = IOOperation(kind, on: descriptor)
    memory = .allocate(byteCount: max(count, 1), alignment: 16)
    record.initialize(to: casyncio_message())
    operation.buffer = memory.baseAddress
    operation.count = count
    operation.message = record
  }

  deinit {
    memory.deallocate()
    record.deallocate()
  }

  var sender: SocketAddress {
    SocketAddress(copying: UnsafeRawBufferPointer(start: record, count: operation.messageAddressLength))
  }
  var bytes: [UInt8] { Array(memory.prefix(max(0, operation.result))) }

  func fill(_ bytes: [UInt8], to address: SocketAddress? = nil) {
    memory.copyBytes(from: bytes)
    operation.count = bytes.count
    operation.messageAddressLength = 0
    address?.withSockaddr { pointer, length in
      operation.messageAddress!.copyMemory(from: UnsafeRawBufferPointer(start: pointer, count: Int(length)))
      operation.messageAddressLength = Int(length)
    }
  }

  @discardableResult
  func complete(on loop: BaseEventLoop) async -> Int {
    await loop.complete(operation)
    return operation.result
  }
}
