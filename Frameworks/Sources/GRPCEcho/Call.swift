import ArgumentParser
import AsyncIO
import AsyncIOGRPC
import AsyncIONIO
import GRPCCore
import GRPCNIOTransportHTTP2
import NIOCore
import NIOPosix
import NIOSSL

/// The client: calls one after the other on some streams at a time, and says how long that took.
struct Call: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Call, compare the answers, and say how long it took.")

  @OptionGroup var options: Options

  @Option(help: "How many calls.")
  var count = 10_000

  @Option(help: "How many at a time, each on a stream of one connection.")
  var streams = 10

  @Option(help: "The bytes of a message.")
  var size = 64

  @Flag(help: "One bidirectional call for each stream, instead of a call for each message.")
  var bidirectional = false

  func run() async throws {
    if options.loop == "nio" {
      let group = MultiThreadedEventLoopGroup(numberOfThreads: options.threads)
      let security: HTTP2ClientTransport.Posix.TransportSecurity =
        options.certificate.map { path in .tls { $0.trustRoots = .certificates([.file(path: path, format: .pem)]) } }
        ?? .plaintext
      try await call(
        HTTP2ClientTransport.Posix(
          target: .ipv4(address: "127.0.0.1", port: options.port), transportSecurity: security, eventLoopGroup: group))
      try await group.shutdownGracefully()
    } else {
      let group = try options.makeGroup()
      guard let loop = group.next() as? AsyncIOEventLoop else { return }
      let security = try options.certificate.map { ClientSecurity.tls(try options.trust($0)) } ?? .plaintext
      try await Task(executorPreference: loop.base.taskExecutor) {
        try await call(
          HTTP2ClientTransport.WrappedChannel.connected(
            toHost: "127.0.0.1", port: options.port, on: loop, security: security))
      }.value
      try await group.shutdownGracefully()
    }
  }

  private func call(_ transport: some ClientTransport) async throws {
    let message = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
    let each = max(1, count / max(1, streams))
    try await withGRPCClient(transport: transport) { client in
      let time = try await ContinuousClock().measure {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
          for _ in 0..<streams {
            tasks.addTask {
              if bidirectional {
                try await client.converse(message, count: each)
              } else {
                for _ in 0..<each { try check(try await client.once(message), message) }
              }
            }
          }
          try await tasks.waitForAll()
        }
      }
      print("\(each * streams) messages in \(time), each \(time / (each * streams))")
    }
  }
}

private func check(_ answer: [UInt8], _ message: [UInt8]) throws {
  guard answer == message else {
    throw RPCError(code: .dataLoss, message: "the answer has \(answer.count) bytes, not those of the message")
  }
}

extension GRPCClient {
  /// A call with one message and one answer.
  func once(_ message: [UInt8], options: CallOptions = .defaults) async throws -> [UInt8] {
    try await unary(
      request: ClientRequest(message: message), descriptor: Echo.once, serializer: Plain(), deserializer: Plain(),
      options: options
    ) { try $0.message }
  }

  /// A call in which each message waits for its answer.
  func converse(_ message: [UInt8], count: Int) async throws {
    let (heard, hear) = AsyncStream.makeStream(of: Void.self)
    let request = StreamingClientRequest<[UInt8]> { output in
      var answers = heard.makeAsyncIterator()
      for _ in 0..<count {
        try await output.write(message)
        guard await answers.next() != nil else { return }
      }
    }
    try await bidirectionalStreaming(
      request: request, descriptor: Echo.stream, serializer: Plain(), deserializer: Plain(), options: .defaults
    ) { response in
      // The other side of the call waits for it, even if this one fails.
      defer { hear.finish() }
      for try await answer in response.messages {
        try check(answer, message)
        hear.yield()
      }
    }
  }
}
