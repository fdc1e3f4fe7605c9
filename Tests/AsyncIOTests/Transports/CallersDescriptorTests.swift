import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// A descriptor that is given to a call which throws stays the caller's: open, and in its mode.
@Suite(.timeLimit(.minutes(5)))
struct CallersDescriptorTests {
  private struct Refusal: Error {}

  private final class Quiet: StreamProtocol, DatagramProtocol {
    func dataReceived(_ bytes: RawSpan) throws {}
    func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {}
    func connectionMade(_ transport: BaseTransport) throws {}
    func connectionMade(_ transport: StreamTransport) throws {}
    func connectionMade(_ transport: DatagramTransport) throws {}
  }

  /// The ways to give a descriptor to a transport or a server.
  enum Way: String, CaseIterable, Codable, Sendable, CustomTestStringConvertible {
    case createConnection, connectAcceptedSocket, createServer, createDatagramEndpoint, connectReadPipe,
      connectWritePipe
    var testDescription: String { rawValue }

    /// A descriptor that blocks, and what has to be closed beside it.
    func makeDescriptor() throws -> (descriptor: Int32, peer: Int32) {
      switch self {
      case .createConnection, .connectAcceptedSocket:
        let pair = try SocketPair()
        casyncio_set_blocking(pair.a)
        pair.release(pair.a)
        pair.release(pair.b)
        return (pair.a, pair.b)
      case .createServer, .createDatagramEndpoint:
        let type = self == .createServer ? casyncio_stream_type : casyncio_datagram_type
        let fd = casyncio_socket(AF_INET, Int32(type), 0)
        let address = try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 0))
        try SystemSockets.shared.bind(fd, to: address)
        casyncio_set_blocking(fd)
        return (fd, -1)
      case .connectReadPipe:
        let ends = try makePipe()
        return (ends.read, ends.write)
      case .connectWritePipe:
        let ends = try makePipe()
        return (ends.write, ends.read)
      }
    }

    /// Give it, and close what comes of it.
    func give(_ fd: Int32, to loop: any EventLoop, throwing error: (any Error)? = nil) async throws {
      func make() throws -> Quiet {
        if let error { throw error }
        return Quiet()
      }
      switch self {
      case .createConnection: try await loop.createConnection(socket: fd, make).0.close()
      case .connectAcceptedSocket: try await loop.connectAcceptedSocket(fd, make).0.close()
      case .createServer: try await loop.createServer(socket: fd, make).close()
      case .createDatagramEndpoint: try await loop.createDatagramEndpoint(socket: fd, make).0.close()
      case .connectReadPipe: try await loop.connectReadPipe(fd, make).0.close()
      case .connectWritePipe: try await loop.connectWritePipe(fd, make).0.close()
      }
    }
  }

  private static func expectUntouched(_ given: (descriptor: Int32, peer: Int32)) {
    #expect(casyncio_is_nonblocking(given.descriptor) == 0, "it is closed, or its mode was changed")
    for number in [given.descriptor, given.peer] where number >= 0 { _ = CAsyncIO.close(number) }
  }

  @Test("in a task that is cancelled already", arguments: LoopKind.allCases, Way.allCases)
  func cancelled(kind: LoopKind, way: Way) async {
    await #expect(processExitsWith: .success) { [kind, way] in
      try await kind.run { loop in
        let given = try way.makeDescriptor()
        let giving = try loopTask {
          withUnsafeCurrentTask { $0?.cancel() }
          try await way.give(given.descriptor, to: loop)
        }
        await #expect(throws: CancellationError.self) { try await giving.value }
        try await sleep(for: .zero)
        Self.expectUntouched(given)
      }
    }
  }

  @Test("whose factory throws", arguments: LoopKind.allCases, Way.allCases.filter { $0 != .createServer })
  func refused(kind: LoopKind, way: Way) async {
    await #expect(processExitsWith: .success) { [kind, way] in
      try await kind.run { loop in
        let given = try way.makeDescriptor()
        _ = try await failure(Refusal.self) { try await way.give(given.descriptor, to: loop, throwing: Refusal()) }
        Self.expectUntouched(given)
      }
    }
  }

  @Test(
    "whose loop is closed before the protocol learned of it", arguments: LoopKind.allCases,
    Way.allCases.filter { $0 != .createServer })
  func closedLoop(kind: LoopKind, way: Way) async {
    await #expect(processExitsWith: .success) { [kind, way] in
      let loop = try kind.makeLoop()
      let given = try way.makeDescriptor()
      let giving = try await loop.run {
        try loopTask {
          // The run ends with this turn, and the protocol would be told in the next one.
          loop.stop()
          try await way.give(given.descriptor, to: loop)
        }
      }
      try? loop.close()
      let error = try await failure(EventLoopError.self) { try await giving.value }
      #expect(error.code == .closed)
      Self.expectUntouched(given)
    }
  }

  @Test("A server whose task is cancelled meanwhile exists, and closes its socket", arguments: LoopKind.allCases)
  func cancelledLater(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.run { loop in
        let given = try Way.createServer.makeDescriptor()
        let giving = try loopTask {
          let task = withUnsafeCurrentTask { $0.map { UnsafeCurrentTaskBox($0) } }
          // Runs while the call lets the loop turn.
          try loop.callSoon { task?.cancel() }
          let server = try await loop.createServer(socket: given.descriptor) { Quiet() }
          #expect(server.isServing && Task.isCancelled)
          server.close()
        }
        try await giving.value
        #expect(fcntl(given.descriptor, F_GETFD) < 0)
      }
    }
  }
}

/// Right because the task lives while it waits for the callback that uses this.
private struct UnsafeCurrentTaskBox: @unchecked Sendable {
  let task: UnsafeCurrentTask
  init(_ task: UnsafeCurrentTask) { self.task = task }
  func cancel() { task.cancel() }
}
