import AsyncIO
import POSIX
import Synchronization

nonisolated(unsafe) let tlsExitCases: [String: () throws -> Void] = ["exit-during-tls": exitDuringTLS]

private let handshakes = Atomic<Int>(0)

/// End the process while its threads are in the middle of handshakes.
private func exitDuringTLS() throws {
  let folder = String(cString: getenv("CERTIFICATES"))
  let server = try TLSContext(.server(.files(chain: folder + "/chain.pem", key: folder + "/below.key")))
  var settings = TLSConfiguration.client(trusting: .file(folder + "/ca.pem"))
  settings.resumesSessions = false
  let client = try TLSContext(settings)
  startThread {
    try AsyncIO.run(loops: 4) { _ in try await shakeHands(server, client) }
  }
  while handshakes.load(ordering: .relaxed) < 100 { usleep(1_000) }
  fact("handshakes", "under way")
  exit(0)
}

private func startThread(_ body: @escaping @Sendable () throws -> Void) {
  final class Body: Sendable {
    let run: @Sendable () throws -> Void
    init(_ run: @escaping @Sendable () throws -> Void) { self.run = run }
  }
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { body in
      do { try Unmanaged<Body>.fromOpaque(body!).takeRetainedValue().run() } catch { fact("thrown", error) }
      return nil
    }, Unmanaged.passRetained(Body(body)).toOpaque())
}

/// Connect and close, for ever.
private func shakeHands(_ server: TLSContext, _ client: TLSContext) async throws {
  let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0, tls: server)
  try await withLoopTaskGroup { group in
    try group.createTask {
      try await listener.serve { connection in
        while case let bytes = try await connection.read(upTo: 100), !bytes.isEmpty {}
      }
    }
    while true {
      let connection = try await StreamConnection.connect(
        host: "127.0.0.1", port: listener.port, tls: client, serverHostname: "localhost")
      connection.close()
      handshakes.add(1, ordering: .relaxed)
    }
  }
}
