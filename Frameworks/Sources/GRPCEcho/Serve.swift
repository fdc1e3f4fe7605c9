import ArgumentParser
import AsyncIO
import AsyncIOGRPC
import AsyncIONIO
import GRPCCore
import GRPCNIOTransportHTTP2
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import UnixSignals

@main struct GRPCEcho: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grpc-echo", abstract: "An echo over gRPC, and its client.", subcommands: [Serve.self, Call.self],
    defaultSubcommand: Serve.self)
}

/// The server. It ends at SIGTERM and SIGINT, when the open calls have ended.
struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Serve, until SIGTERM or SIGINT.")

  @OptionGroup var options: Options

  @Option(help: "The file of the certificate's key, as PEM.")
  var key: String?

  func validate() throws {
    if (options.certificate == nil) != (key == nil) {
      throw ValidationError("--certificate and --key go together.")
    }
  }

  func run() async throws {
    let address = GRPCNIOTransportHTTP2.SocketAddress.ipv4(host: "127.0.0.1", port: options.port)
    if options.loop == "nio" {
      let group = MultiThreadedEventLoopGroup(numberOfThreads: options.threads)
      var security = HTTP2ServerTransport.Posix.TransportSecurity.plaintext
      if let certificate = options.certificate, let key {
        security = .tls(
          certificateChain: [.file(path: certificate, format: .pem)], privateKey: .file(path: key, format: .pem))
      }
      try await serve(
        HTTP2ServerTransport.Posix(address: address, transportSecurity: security, eventLoopGroup: group))
      try await group.shutdownGracefully()
    } else {
      let group = try options.makeGroup()
      var security = ServerSecurity.plaintext
      if let certificate = options.certificate, let key {
        security = .tls(
          .makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem))))
      }
      try await serve(AsyncIOServerTransport(address: address, on: group, security: security))
      try await group.shutdownGracefully()
    }
  }

  private func serve(_ transport: some ListeningServerTransport) async throws {
    let server = GRPCServer(transport: transport, services: [Echo()])
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await server.serve() }
      let address = try await transport.listeningAddress
      print("grpc-echo on 127.0.0.1:\(address.ipv4?.port ?? options.port)")
      fflush(nil)
      tasks.addTask {
        for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { break }
        server.beginGracefulShutdown()
      }
      try await tasks.next()
      try await tasks.next()
    }
  }
}

/// What both sides are told.
struct Options: ParsableArguments {
  @Option(help: "selector, poll or proactor; nio for gRPC's own loops.")
  var loop = "selector"

  @Option(help: "The port.")
  var port = 50051

  @Option(help: "How many loops, each with a thread.")
  var threads = 1

  @Option(help: "The file of the server's certificate, as PEM; the client trusts it. Without it all is plain text.")
  var certificate: String?

  func validate() throws {
    if threads < 1 { throw ValidationError("--threads is \(threads). Give at least 1.") }
  }

  func makeGroup() throws -> AsyncIOEventLoopGroup {
    try AsyncIOEventLoopGroup(numberOfThreads: threads) { try EventLoopKinds.make(loop) }
  }

  func trust(_ certificate: String) throws -> NIOSSL.TLSConfiguration {
    var configuration = NIOSSL.TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(certificate))
    return configuration
  }
}
