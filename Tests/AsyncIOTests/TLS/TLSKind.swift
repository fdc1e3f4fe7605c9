@testable import AsyncIO
@testable import AsyncIOSimulation

/// What protects connections in a test, with the same certificates for each: those of ``TestCertificates``, and their
/// simulated doubles.
enum TLSKind: String, CaseIterable, Sendable {
  case openssl, simulated

  var trust: TLSTrust { self == .openssl ? TLSSessionTests.trust : SimulatedTLS.trust("ca") }

  func client() -> TLSConfiguration { .client(trusting: trust) }
  func server(_ name: String = "ecdsa") -> TLSConfiguration { .server(identity(name)) }

  func identity(_ name: String) -> TLSIdentity {
    guard self == .simulated else {
      return name == "chain"
        ? .files(chain: TestCertificates.shared.path("chain.pem"), key: TestCertificates.shared.path("below.key"))
        : TLSSessionTests.identity(name)
    }
    let hosts = ["localhost", "*.example.org", "127.0.0.1", "::1"]
    return switch name {
    case "other": SimulatedTLS.identity(name, hosts: ["other.example"], authority: "ca")
    case "below": SimulatedTLS.identity(name, hosts: hosts, authority: "intermediate")
    case "chain":
      SimulatedTLS.identity(
        "below", hosts: hosts, authority: "intermediate",
        chain: [SimulatedTLS.authority("intermediate", signedBy: "ca")])
    case "unknown": SimulatedTLS.identity(name, hosts: hosts, authority: "stranger")
    case "client": SimulatedTLS.identity(name, authority: "ca", purposes: [.client])
    case "expired": SimulatedTLS.identity(name, hosts: hosts, authority: "ca", valid: -20..<(-10))
    case "self": SimulatedTLS.identity(name, hosts: hosts, authority: "self")
    default: SimulatedTLS.identity(name, hosts: hosts, authority: "ca")
    }
  }

  /// Make both contexts from the settings for this kind.
  func contexts(_ client: TLSConfiguration, _ server: TLSConfiguration) throws -> (TLSContext, TLSContext) {
    guard self == .simulated else { return (try TLSContext(client), try TLSContext(server)) }
    let provider = SimulatedTLSProvider()
    return (try TLSContext(client, provider: provider), try TLSContext(server, provider: provider))
  }
}
