import SystemPackage
import Testing

@testable import AsyncIO

/// A suspending call of the library, and how a test makes it where it would not have to wait.
struct SuspendingCall: Sendable {
  /// File and function, as the sources have them.
  let place: String
  private let isPrepared: Bool
  private let body: @Sendable (Busy) async throws -> Void

  init(_ place: String, _ body: @escaping @Sendable (Busy) async throws -> Void) {
    (self.place, self.body, isPrepared) = (place, body, false)
  }

  /// A body that has something to prepare, and cancels its task itself.
  init(prepared place: String, _ body: @escaping @Sendable (Busy) async throws -> Void) {
    (self.place, self.body, isPrepared) = (place, body, true)
  }

  /// Make the call in this task, which is cancelled before.
  func make(_ busy: Busy) async throws {
    if !isPrepared { Self.cancelThisTask() }
    try await body(busy)
  }

  /// True if it also works in a thread without a loop; the others refuse that first.
  var worksElsewhere: Bool {
    !isPrepared && !["Sleeping.sleep", "Interval.interval"].contains(place)
      && place != "StreamConnection+Chunks.serveChunks"
  }

  /// Settings of a client. On a machine without OpenSSL there are none, and nothing to cancel.
  static func tlsContext() throws -> TLSContext {
    guard TLSLibrary.found.works else { throw CancellationError() }
    return try TLSContext(.client())
  }

  static func cancelThisTask() { withUnsafeCurrentTask { $0?.cancel() } }

  /// Those that are not checkpoints, and why.
  static let exceptions: [String: String] = [
    "BaseEventLoop+Executor.shutdownDefaultExecutor": "closing",
    "BufferedWriter.close": "closing",
    "CancellationShield.withCancellationShield": "the cancellation is not for the body",
    "ChildProcess+Communicating.communicate": "closes the child's input first; its reads and its wait are checkpoints",
    "ChildProcess+Running.run": "spawn is the checkpoint",
    "ChildProcess+Running.scoped": "closing",
    "ChildProcess.terminate": "kills the child, and waits for it",
    "CurrentPolicy.withEventLoopPolicy": "the body is the caller's own",
    "GracefulStop.requested": "waits for an Event, which is the checkpoint; GracefulStopTests has a scope for it",
    "GracefulStop.unlessRequested": "its first line is the checkpoint; GracefulStopTests has a scope for it",
    "LoopRun.run": "the body is cancelled, and its calls are the checkpoints",
    "ScopedRun.run": "the body is cancelled, and its calls are the checkpoints",
    "MovableTimeout.withTimeout": "the body is cancelled, and its calls are the checkpoints",
    "Server.serveForever": "cancelled, it closes the server and waits for its clients",
    "TaskGroup.withLoopTaskGroup": "the body is cancelled, and its calls are the checkpoints",
    "Timeout.withTimeout": "the body is cancelled, and its calls are the checkpoints",
  ]

  static let all = streams + pipes + sockets + names + locks + waits + makers + groups + others
}

extension SuspendingCall {
  private static let streams: [SuspendingCall] = [
    SuspendingCall("StreamConnection+Reading.read") { _ = try await $0.near.read(upTo: 1) },
    SuspendingCall("StreamConnection+Reading.read") { _ = try await $0.near.read(upTo: 0) },
    SuspendingCall("StreamConnection+Reading.read") { busy in
      var memory = [UInt8](repeating: 0, count: 1)
      var bytes = memory.mutableSpan
      var span = bytes.mutableBytes
      _ = try await busy.near.read(into: &span)
    },
    SuspendingCall("StreamConnection+Reading.readExactly") { _ = try await $0.near.readExactly(1) },
    SuspendingCall("StreamConnection+Reading.readExactly") { _ = try await $0.near.readExactly(0) },
    SuspendingCall("StreamConnection+Reading.readUntil") { _ = try await $0.near.readUntil([10]) },
    SuspendingCall("StreamConnection+Reading.readUntil") { _ = try await $0.near.readUntil(anyOf: [[10], [13]]) },
    SuspendingCall("StreamConnection+Reading.readLine") { _ = try await $0.near.readLine() },
    SuspendingCall("StreamConnection+Reading.readToEnd") { _ = try await $0.near.readToEnd() },
    SuspendingCall("StreamConnection+Reading.read") { for try await _ in $0.near.chunks {} },
    SuspendingCall("ByteSequences.lines") { for try await _ in $0.near.lines {} },
    SuspendingCall("FrameCodec.frames") { for try await _ in $0.near.frames(Delimited([10])) {} },
    SuspendingCall("FrameCodec.write") { try await $0.near.write(frame: [1], as: FixedSize(1)) },
    SuspendingCall("BufferedWriter.write") { try await BufferedWriter($0.near).write([1]) },
    SuspendingCall("BufferedWriter.write") { try await BufferedWriter($0.near).write("") },
    SuspendingCall("BufferedWriter.flush") { try await BufferedWriter($0.near).flush() },
    SuspendingCall("StreamConnection+Lent.forEachChunk") { try await $0.near.forEachChunk { _ in await Task.yield() } },
    SuspendingCall("StreamConnection+Chunks.serveChunks") { try await $0.near.serveChunks { _, _ in } },
    SuspendingCall("StreamConnection+Lent.withNextChunk") { _ = try await $0.near.withNextChunk { $0.byteCount } },
    SuspendingCall("StreamConnection+Writing.write") { try await $0.near.write([1]) },
    SuspendingCall("StreamConnection+Writing.write") { try await $0.near.write("") },
    SuspendingCall("StreamConnection+Moving.move") { _ = try await $0.near.move(to: $0.near.loop) },
    SuspendingCall("StreamConnection+Forwarding.forward") { _ = try await $0.near.forward(to: $0.near) },
    SuspendingCall("StreamConnection+Forwarding.exchange") { _ = try await $0.near.exchange(with: $0.far) },
    SuspendingCall("StreamConnection+TLS.startTLS") {
      try await $0.near.startTLS(tlsContext(), serverHostname: "localhost")
    },
    SuspendingCall("StreamConnection+TLS.unwrapTLS") { try await $0.near.unwrapTLS() },
    SuspendingCall("StreamConnection+SendFile.sendFile") { _ = try await $0.near.sendFile($0.file) },
    SuspendingCall("StreamConnection+Connecting.connect") {
      _ = try await StreamConnection.connect(host: "127.0.0.1", port: $0.listener.port)
    },
    SuspendingCall("StreamConnection+Connecting.connect") {
      _ = try await StreamConnection.connect(to: $0.listener.addresses[0])
    },
    SuspendingCall("StreamListener+Accept.accept") { _ = try await $0.listener.accept() },
    SuspendingCall("StreamListener+Serve.serve") { try await $0.listener.serve { _ in } },
    SuspendingCall("StreamListener+Draining.serve") { _ = try await $0.listener.serve(drain: nil) { _ in } },
    SuspendingCall("GracefulStopScope.withGracefulStop") { _ in
      _ = try await withGracefulStop(on: [], drain: nil) { _ in }
    },
    SuspendingCall("StreamListener+Binding.bind") { _ in _ = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    },
    SuspendingCall("StreamListener+Binding.bind") { _ in _ = try await StreamListener.bind(unixPath: "\0checkpoint") },
    SuspendingCall("DatagramEndpoint.bind") { _ in _ = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0) },
    SuspendingCall("DatagramEndpoint.connect") {
      _ = try await DatagramEndpoint.connect(to: $0.datagrams.localAddress!)
    },
    SuspendingCall("DatagramEndpoint.send") { try await $0.datagrams.send([1], to: $0.datagrams.localAddress!) },
    SuspendingCall("DatagramEndpoint.receive") { _ = try await $0.datagrams.receive() },
    SuspendingCall("DatagramEndpoint.withDatagram") {
      _ = try await $0.datagrams.withDatagram { bytes, _ in bytes.byteCount }
    },
    SuspendingCall("DatagramEndpoint.forEachDatagram") { try await $0.datagrams.forEachDatagram { _, _ in } },
  ]

  private static let pipes: [SuspendingCall] = [
    SuspendingCall("PipeReader.read") { _ = try await $0.pipe.reader.read(upTo: 1) },
    SuspendingCall("PipeReader.read") { _ = try await $0.pipe.reader.read(upTo: 0) },
    SuspendingCall("PipeReader.readExactly") { _ = try await $0.pipe.reader.readExactly(1) },
    SuspendingCall("PipeReader.readUntil") { _ = try await $0.pipe.reader.readUntil([10]) },
    SuspendingCall("PipeReader.readUntil") { _ = try await $0.pipe.reader.readUntil(anyOf: [[10], [13]]) },
    SuspendingCall("PipeReader.readLine") { _ = try await $0.pipe.reader.readLine() },
    SuspendingCall("PipeReader.readToEnd") { _ = try await $0.pipe.reader.readToEnd() },
    SuspendingCall("FrameCodec.frames") { for try await _ in $0.pipe.reader.frames(Delimited([10])) {} },
    SuspendingCall("PipeReader.forEachChunk") { try await $0.pipe.reader.forEachChunk { _ in } },
    SuspendingCall("PipeReader.read") { for try await _ in $0.pipe.reader.chunks {} },
    SuspendingCall("ByteSequences.lines") { for try await _ in $0.pipe.reader.lines {} },
    SuspendingCall("PipeWriter.write") { try await $0.pipe.writer.write([1]) },
    SuspendingCall("PipeWriter.write") { try await $0.pipe.writer.write("") },
    SuspendingCall("ByteSink.write") { try await $0.near.write([1][...]) },
    SuspendingCall("ByteSink.write") { try await $0.pipe.writer.write("".utf8) },
    SuspendingCall("PipeWriter.waitForReaderClose") { try await $0.pipe.writer.waitForReaderClose() },
    SuspendingCall("ChildProcess.wait") { try await $0.child.wait() },
    SuspendingCall("ChildProcess+Spawning.spawn") { _ in _ = try await ChildProcess.spawn("true") },
    SuspendingCall("ChildProcess+Running.run") { _ in _ = try await ChildProcess.run("true") },
    SuspendingCall("ChildProcess+Communicating.communicate") { _ = try await $0.child.communicate() },
  ]

  private static let sockets: [SuspendingCall] = [
    SuspendingCall("Socket+Receiving.receive") { _ = try await $0.sockets.near.receive(upTo: 1) },
    SuspendingCall("Socket+Receiving.receive") { _ = try await $0.sockets.near.receive(upTo: 0) },
    SuspendingCall("Socket+Receiving.receiveDatagram") { _ = try await $0.sockets.near.receiveDatagram(upTo: 1) },
    SuspendingCall("Socket+Receiving.accept") { _ = try await $0.listening.accept() },
    SuspendingCall("Socket+Sending.sendAll") { try await $0.sockets.near.sendAll([1]) },
    SuspendingCall("Socket+Sending.sendAll") { try await $0.sockets.near.sendAll([UInt8]()) },
    SuspendingCall("Socket+Sending.send") { try await $0.sockets.near.send([1], to: $0.listener.addresses[0]) },
    SuspendingCall("Socket+Addresses.connect") { try await $0.sockets.near.connect(to: $0.listener.addresses[0]) },
    SuspendingCall("Socket+Addresses.connect") {
      try await $0.sockets.near.connect(host: "127.0.0.1", port: $0.listener.port)
    },
    SuspendingCall("Socket+SendFile.sendFile") { _ = try await $0.sockets.near.sendFile($0.file) },
  ]

  private static let names: [SuspendingCall] = [
    SuspendingCall("EventLoop+Names.getaddrinfo") {
      _ = try await $0.near.loop.getaddrinfo(host: "127.0.0.1", port: 1)
    },
    SuspendingCall("EventLoop+Names.getnameinfo") {
      _ = try await $0.near.loop.getnameinfo($0.listener.addresses[0], flags: [.numericHost, .numericService])
    },
  ]
}
