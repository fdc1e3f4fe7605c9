import ArgumentParser
import AsyncIO
import AsyncIOHummingbird
import AsyncIONIO
import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// A small Hummingbird service, on the loops that an option names.
@main struct HelloService: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "hello-service",
    abstract: "A small Hummingbird service: GET / and /json and /bytes/<count>, POST /echo.")

  @Option(help: "selector, poll or proactor; nio for Hummingbird's own loops.")
  var loop = "selector"

  @Option(help: "The port; 0 lets the system choose one.")
  var port = 8080

  @Option(help: "How many loops, each with a thread.")
  var threads = 1

  @Option(help: "The file of a certificate, as PEM: HTTPS, with HTTP/2 for clients that know it.")
  var certificate: String?

  @Option(help: "The file of its key, as PEM.")
  var key: String?

  func validate() throws {
    if threads < 1 { throw ValidationError("--threads is \(threads). Give at least 1.") }
    if (certificate == nil) != (key == nil) { throw ValidationError("--certificate and --key go together.") }
  }

  func run() async throws {
    if loop == "nio" {
      let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
      try await application(.shared(group)).runService()
      try await group.shutdownGracefully()
    } else {
      let group = try AsyncIOEventLoopGroup(numberOfThreads: threads) { try EventLoopKinds.make(loop) }
      try await application(.singleton).runService(on: group)
      try await group.shutdownGracefully()
    }
  }

  private func application(_ group: EventLoopGroupProvider) throws -> some ApplicationProtocol {
    var logger = Logger(label: "hello-service")
    logger.logLevel = .warning
    return Application(
      router: helloRouter(), server: try server(),
      configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: "hello-service"),
      onServerRunning: { channel in
        print("hello-service on 127.0.0.1:\(channel.localAddress?.port ?? port)")
        fflush(nil)
      },
      eventLoopGroupProvider: group, logger: logger)
  }

  private func server() throws -> HTTPServerBuilder {
    guard let certificate, let key else { return .http1() }
    return try .http2Upgrade(
      tlsConfiguration: .makeServerConfiguration(
        certificateChain: NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
        privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
  }
}

/// The answer of `GET /json`.
struct Greeting: ResponseEncodable, Equatable, Decodable {
  var message: String
  var primes: [Int]
}

/// The routes of the service.
func helloRouter() -> Router<BasicRequestContext> {
  let router = Router(options: .autoGenerateHeadEndpoints)
  router.get("/") { _, _ in "Hello, world!\n" }
  router.get("/json") { _, _ in Greeting(message: "Hello, world!", primes: [2, 3, 5, 7]) }
  // The body goes back while it comes, so neither side needs room for all of it.
  router.post("/echo") { request, _ in Response(status: .ok, body: .init(asyncSequence: request.body)) }
  router.get("/bytes/{count}") { _, context in
    let count = try context.parameters.require("count", as: Int.self)
    guard count >= 0 else { throw HTTPError(.badRequest, message: "the count is \(count). Give 0 or more.") }
    return Response(status: .ok, body: bytes(count))
  }
  return router
}

/// A piece of a body. The pattern has a period of 251, and the piece is a multiple of it.
private let piece = ByteBuffer(bytes: (0..<251 * 256).map { UInt8($0 % 251) })

/// This many bytes, a piece at a time. The n-th byte is n modulo 251, so a gap shows.
private func bytes(_ count: Int) -> ResponseBody {
  ResponseBody(contentLength: count) { writer in
    var left = count
    while left > 0 {
      guard let slice = piece.getSlice(at: 0, length: min(left, piece.readableBytes)) else { break }
      try await writer.write(slice)
      left -= slice.readableBytes
    }
    try await writer.finish(nil)
  }
}
