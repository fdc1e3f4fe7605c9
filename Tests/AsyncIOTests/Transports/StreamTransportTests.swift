import CAsyncIO
import Testing

@testable import AsyncIO

@Suite("Transports of sockets")
struct StreamTransportTests {
  @Test("made, data, end, lost: in this order, each but the data once", arguments: LoopKind.allCases)
  func order(_ kind: LoopKind) async throws {
    try await kind.run { loop in
      let pair = try await loop.makePair()
      #expect(pair.proto.events == ["made"])
      #expect(try pair.transport.getProtocol() === pair.proto)
      pair.sockets.write(10, to: pair.peer)
      try await turnUntil { pair.proto.received.count == 10 }
      #expect(pair.transport.isReading && !pair.transport.isClosing)
      try pair.transport.write("answer")
      try await turnUntil { pair.sockets.read(from: pair.peer) == 6 }
      pair.sockets.close(pair.peer)
      try await turnUntil { pair.proto.isLost }
      #expect(pair.proto.events == ["made", "data", "end", "lost"])
      #expect(pair.proto.lost == nil)
      #expect(pair.transport.isClosing && !pair.transport.isReading)
      #expect(pair.transport.descriptor.isClosed)
      #expect(try pair.transport.getProtocol() == nil)
    }
  }
}
