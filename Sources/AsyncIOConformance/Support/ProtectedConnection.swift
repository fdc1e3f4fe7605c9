internal import AsyncIO

/// A certificate of "localhost" that signs itself, with its key. Everybody can read the key here: it protects nothing,
/// and is for checks on this machine alone.
private enum PublicCertificate {
  static let chain = """
    -----BEGIN CERTIFICATE-----
    MIIBojCCAUigAwIBAgIUOA8Y9FHaPaTybL3obNR5zECUppcwCgYIKoZIzj0EAwIw
    FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTA5NTExMFoYDzIxMjYxMTA1
    MDk1MTEwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
    PQMBBwNCAARp8vQhwaCD0bvVABenL/3KZiiNMYdyYADc44IMzAn6wpxm9jJfgL0S
    A2b6sjCdA1mpS9KrixU1bndLpBDtmyJ2o3YwdDAdBgNVHQ4EFgQU8P26DEcSBM3a
    pIEb7yhEKqmeuKswHwYDVR0jBBgwFoAU8P26DEcSBM3apIEb7yhEKqmeuKswDwYD
    VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCwYDVR0PBAQDAgKE
    MAoGCCqGSM49BAMCA0gAMEUCIQDXvkta1zq3xpAF7ajrDXD0iZjr8LsT58c2D9Gm
    8gNu5gIgdY9ISLRcO6DP1oQTyhvVMq6zaa0qeZUDeMoFfJUixMs=
    -----END CERTIFICATE-----
    """
  static let key = """
    -----BEGIN PRIVATE KEY-----
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCqsSn6TIGo0x6DCq
    /mHbD6Tbf96CFLvc/W4y9Gtg/XyhRANCAARp8vQhwaCD0bvVABenL/3KZiiNMYdy
    YADc44IMzAn6wpxm9jJfgL0SA2b6sjCdA1mpS9KrixU1bndLpBDtmyJ2
    -----END PRIVATE KEY-----
    """
}

/// The settings of a client and a server that trust each other.
struct TLSPair {
  let client: TLSContext
  let server: TLSContext
  /// A client that trusts somebody else.
  let stranger: TLSContext
}

extension ConformanceSubject {
  /// Make settings for both sides. Not offered on a machine without OpenSSL.
  func makeTLSPair(_ limits: TLSLimits = .standard) throws -> TLSPair {
    var client = TLSConfiguration.client(trusting: .pem(PublicCertificate.chain))
    var server = TLSConfiguration.server(.pem(chain: PublicCertificate.chain, key: PublicCertificate.key))
    (client.limits, server.limits) = (limits, limits)
    do throws(TLSError) {
      return TLSPair(
        client: try TLSContext(client), server: try TLSContext(server), stranger: try TLSContext(.client()))
    } catch {
      if error.code == .libraryMissing { try notOffered("\(error)") }
      throw error
    }
  }

  /// A protected server of the loop on the loopback, and one client that has agreed with it.
  ///
  /// - Parameter limits: of both sides.
  func protectedConnection(
    _ loop: any EventLoop, limits: TLSLimits = .standard, _ script: @escaping (StreamProbe) -> Void = { _ in }
  ) async throws -> ProbedConnection {
    let tls = try makeTLSPair(limits)
    var probes: [StreamProbe] = []
    let server = try await loop.createServer(host: "127.0.0.1", port: 0, tls: tls.server) {
      let probe = StreamProbe(Trail(), script)
      probes.append(probe)
      return probe
    }
    let (_, client) = try await loop.createConnection(
      host: "127.0.0.1", port: try port(of: server), tls: tls.client, serverHostname: "localhost"
    ) { StreamProbe() }
    try await turn("the client is served") { probes.first?.transport != nil }
    return ProbedConnection(client: client, served: probes[0], server: server)
  }
}
