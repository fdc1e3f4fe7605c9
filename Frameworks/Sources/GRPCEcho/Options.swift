import ArgumentParser
import AsyncIO
import AsyncIONIO
import NIOSSL

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
