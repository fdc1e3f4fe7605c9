import Glibc
import NIOCore
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
  private struct State {
    var count = 0
    var isInOrder = true
  }
  private let state = Watched(State())

  var isInOrder: Bool { state.value.isInOrder }
  var count: Int { state.value.count }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    state.change { state in
      if !Numbered.isEqual(bytes, from: state.count) { state.isInOrder = false }
      state.count += bytes.readableBytes
    }
  }

  func wait(for count: Int) async throws { await state.wait(for: "\(count) bytes") { $0.count >= count } }
}

/// Notes the sizes of what comes.
final class Sizes: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  private let sizes = Watched<[Int]>([])

  var all: [Int] { sizes.value }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let size = unwrapInboundIn(data).readableBytes
    sizes.change { $0.append(size) }
  }

  func wait(for count: Int) async throws {
    await sizes.wait(for: "\(count) bytes") { $0.reduce(0, +) >= count }
  }
}
