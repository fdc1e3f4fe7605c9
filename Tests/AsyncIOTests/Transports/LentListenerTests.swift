import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// A listening socket that the caller brought may be one of several that share it: of a supervisor, of the workers of a
/// server. Closing ours must leave theirs alone.
@Suite("A lent listening socket", .timeLimit(.minutes(2)))
struct LentListenerTests {
  private final class Silent: StreamProtocol {
    func dataReceived(_ bytes: RawSpan) throws {}
  }

  /// The ways to give a listening socket to a loop.
  enum Way: String, CaseIterable, Codable, Sendable, CustomTestStringConvertible {
    case createServer, serverThatDoesNotStart, socketByHand
    var testDescription: String { rawValue }

    /// Give it, and close what comes of it.
    func giveAndClose(_ fd: Int32, to loop: any EventLoop) async throws {
      switch self {
      case .createServer: try await loop.createServer(socket: fd) { Silent() }.close()
      case .serverThatDoesNotStart: try await loop.createServer(socket: fd, startServing: false) { Silent() }.close()
      case .socketByHand: try AsyncIO.Socket(fileDescriptor: fd).close()
      }
      // The number is given back by the loop.
      try await sleep(for: .milliseconds(1))
    }
  }

  @Test("Others go on listening when it is closed", arguments: LoopKind.allCases, Way.allCases)
  func othersGoOn(kind: LoopKind, way: Way) async throws {
    try await kind.run { loop in
      let fd = casyncio_socket(AF_INET, Int32(casyncio_stream_type), 0)
      try SystemSockets.shared.bind(fd, to: try #require(SocketAddress(ipLiteral: "127.0.0.1", port: 0)))
      let address = try #require(SystemSockets.shared.localAddress(of: fd))
      try SystemSockets.shared.listen(fd, backlog: 8, address)
      casyncio_set_nonblocking(fd)
      let others = dup(fd)
      defer { _ = CAsyncIO.close(others) }
      try await way.giveAndClose(fd, to: loop)
      let (client, _) = try await loop.createConnection(host: "127.0.0.1", port: try #require(address.port)) {
        Silent()
      }
      let accepted = accept(others, nil, nil)
      #expect(accepted >= 0)
      _ = CAsyncIO.close(accepted)
      client.close()
    }
  }
}
