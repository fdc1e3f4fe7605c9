import AsyncIO
import AsyncIOConformance
import POSIX

nonisolated(unsafe) let unixSocketCases: [String: () throws -> Void] = ["changed-directory": changeDirectory]

private final class Silent: StreamProtocol, DatagramProtocol {
  func connectionMade(_ transport: BaseTransport) throws {}
  func connectionMade(_ transport: StreamTransport) throws {}
  func connectionMade(_ transport: DatagramTransport) throws {}
  func dataReceived(_ bytes: RawSpan) throws {}
  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) throws {}
}

/// Bind relative paths, change the directory, and close. The directory is the whole process's, so this is not a test of
/// its own.
private func changeDirectory() throws {
  let directory = try TemporaryName.directory()
  defer { _ = rmdir(directory) }
  try AsyncIO.run {
    let loop = try getRunningLoop()
    _ = chdir(directory)
    let listener = try await StreamListener.bind(unixPath: "listener")
    let server = try await loop.createUnixServer(path: "server") { Silent() }
    let endpoint = try await DatagramEndpoint.bind(to: SocketAddress(unixPath: "endpoint"))
    let (transport, _) = try await loop.createDatagramEndpoint(
      localAddress: .address(SocketAddress(unixPath: "transport"))
    ) { Silent() }
    let other = try await StreamListener.bind(unixPath: "other", cleanupSocket: false)
    _ = chdir("/")
    for close in [listener.close, server.close, endpoint.close, transport.close, other.close] { close() }
    try await sleep(for: .milliseconds(1))
    for name in ["listener", "server", "endpoint", "transport", "other"] {
      fact(name, access("\(directory)/\(name)", F_OK) == 0 ? "kept" : "gone")
      _ = unlink("\(directory)/\(name)")
    }
  }
}
