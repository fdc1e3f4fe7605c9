import SystemPackage
import Testing

@testable import AsyncIO

/// Everything that a task can wait with, and all of it ready: bytes were received and not read, datagrams and clients
/// wait in the system, locks are free. What a call then does must not depend on whether it would have to wait.
struct Busy {
  let near: StreamConnection
  let far: StreamConnection
  let pipe: PipePair
  let listener: StreamListener
  let clients: [StreamConnection]
  let datagrams: DatagramEndpoint
  let sockets: (near: Socket, far: Socket)
  let listening: Socket
  let child: ChildProcess
  let file: FileDescriptor
  let done: Future<Void>

  static func make() async throws -> Busy {
    let pair = try await StreamPair.make()
    try await pair.far.write("first\nsecond\nthird\n")
    // The rest of what this brought is there to be read without a call to the system.
    _ = try await pair.near.readLine()
    let pipe = try PipePair.make()
    try await pipe.writer.write("first\nsecond\nthird\n")
    _ = try await pipe.reader.readLine()
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    let clients = [try await StreamConnection.connect(to: listener.addresses[0])]
    let datagrams = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
    try await datagrams.send([1], to: datagrams.localAddress!)
    let (listening, sockets) = try await connectedSockets()
    try await sockets.far.sendAll([1, 2, 3])
    let child = try await ChildProcess.spawn("true")
    try await child.wait()
    let done: Future<Void> = try getRunningLoop().createFuture()
    try done.setResult(())
    return Busy(
      near: pair.near, far: pair.far, pipe: pipe, listener: listener, clients: clients, datagrams: datagrams,
      sockets: sockets, listening: listening, child: child, file: try FileDescriptor.open("/dev/null", .readOnly),
      done: done)
  }

  /// Two sockets by hand that are connected, and the one that listened, with one more client in its queue.
  private static func connectedSockets() async throws -> (Socket, (near: Socket, far: Socket)) {
    let listening = try Socket(family: .ipv4)
    try listening.bind(to: SocketAddress(ipLiteral: "127.0.0.1", port: 0)!)
    try listening.listen()
    let near = try Socket(family: .ipv4)
    try await near.connect(to: listening.localAddress!)
    let far = try await listening.accept()
    let other = try Socket(family: .ipv4)
    try await other.connect(to: listening.localAddress!)
    other.close()
    return (listening, (near, far))
  }

  func close() {
    near.close()
    far.close()
    pipe.close()
    listener.close()
    for client in clients { client.close() }
    datagrams.close()
    sockets.near.close()
    sockets.far.close()
    listening.close()
    child.close()
    try? file.close()
  }

  /// What was there is there still.
  func expectNothingTaken(sourceLocation: SourceLocation = #_sourceLocation) async throws {
    #expect(try await near.readLine() == "second", sourceLocation: sourceLocation)
    #expect(try await pipe.reader.readLine() == "second", sourceLocation: sourceLocation)
    #expect(try await datagrams.receive().bytes == [1], sourceLocation: sourceLocation)
    #expect(try await sockets.near.receive(upTo: 9) == [1, 2, 3], sourceLocation: sourceLocation)
    try await listener.accept().close()
    try await listening.accept().close()
  }
}
