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
