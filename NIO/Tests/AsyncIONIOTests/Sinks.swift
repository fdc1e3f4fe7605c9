import NIOCore
import Synchronization
import Testing

/// Takes bytes that were numbered by their position.
final class Sink: ChannelInboundHandler, Sendable {
  typealias InboundIn = ByteBuffer
  private let state = Mutex((count: 0, isInOrder: true))

  var isInOrder: Bool { state.withLock { $0.isInOrder } }
  var count: Int { state.withLock { $0.count } }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    state.withLock { state in
      for byte in bytes.readableBytesView {
        if byte != UInt8(state.count % 251) { state.isInOrder = false }
        state.count += 1
      }
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
