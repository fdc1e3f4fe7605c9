import GRPCNIOTransportHTTP2
import NIOSSL
import TestSupport

extension Certificate {
  static func client() throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes([UInt8](chain.utf8)))
    return configuration
  }

  static func posixServer() -> HTTP2ServerTransport.Posix.TransportSecurity {
    .tls(
      certificateChain: [.bytes([UInt8](chain.utf8), format: .pem)],
      privateKey: .bytes([UInt8](key.utf8), format: .pem))
  }

  static func posixClient() -> HTTP2ClientTransport.Posix.TransportSecurity {
    .tls { $0.trustRoots = .certificates([.bytes([UInt8](chain.utf8), format: .pem)]) }
  }
}
