import Glibc
import NIOCore
import Synchronization
import Testing

/// Bytes that are numbered by their position, in bulk: a loop over each takes long without optimisation.
enum Numbered {
  private static let period = (0..<251).map { UInt8($0) }
  private static let all: [UInt8] = Array(repeatElement(period, count: 8192).joined())

  /// The bytes from a position on; at most a million or two.
  static func bytes(from position: Int, _ count: Int) -> ArraySlice<UInt8> {
    all[(position % 251)..<(position % 251 + count)]
  }

  /// Compare with what belongs there.
  static func isEqual(_ buffer: ByteBuffer, from position: Int) -> Bool {
    let expected = bytes(from: position, buffer.readableBytes)
    return buffer.withUnsafeReadableBytes { seen in
      expected.withUnsafeBytes { seen.count == 0 || memcmp(seen.baseAddress!, $0.baseAddress!, seen.count) == 0 }
    }
  }
}

/// Takes bytes that were numbered by their position.
final class Sink: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  private let state = Mutex((count: 0, isInOrder: true))

  var isInOrder: Bool { state.withLock { $0.isInOrder } }
  var count: Int { state.withLock { $0.count } }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    state.withLock { state in
      if !Numbered.isEqual(bytes, from: state.count) { state.isInOrder = false }
      state.count += bytes.readableBytes
    }
  }

  func wait(for count: Int) async throws { try await until("\(count) bytes") { self.count >= count } }
}

/// Notes the sizes of what comes.
final class Sizes: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  private let sizes = Mutex<[Int]>([])

  var all: [Int] { sizes.withLock { $0 } }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let size = unwrapInboundIn(data).readableBytes
    sizes.withLock { $0.append(size) }
  }

  func wait(for count: Int) async throws { try await until("\(count) bytes") { self.all.reduce(0, +) >= count } }
}

/// Wait until a condition holds.
func until(_ what: String, _ condition: () -> Bool) async throws {
  for _ in 0..<5000 {
    if condition() { return }
    try await Task.sleep(for: .milliseconds(1))
  }
  Issue.record("\(what): it did not happen")
}
