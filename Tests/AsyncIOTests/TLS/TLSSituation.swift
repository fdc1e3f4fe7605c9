import Testing

@testable import AsyncIO

/// Settings of two sides that meet, and what comes of it.
struct TLSSituation: Sendable, CustomTestStringConvertible {
  let testDescription: String
  var host = "localhost"
  var piece = Int.max
  let change: @Sendable (TLSKind, inout TLSConfiguration, inout TLSConfiguration) -> Void

  init(
    _ name: String, host: String = "localhost", piece: Int = .max,
    _ change: @escaping @Sendable (TLSKind, inout TLSConfiguration, inout TLSConfiguration) -> Void = { _, _, _ in }
  ) {
    (testDescription, self.host, self.piece, self.change) = (name, host, piece, change)
  }

  /// What one side has seen.
  struct Outcome: Equatable {
    var isEstablished: Bool
    var failure: TLSError.Code?
    var count: Int
    var hasEnded: Bool
    var version: String?
    var applicationProtocol: String?
    var serverName: String?
    var isResumed: Bool?
    var subjects: [String]?
    var hosts: [String]?

    init(_ side: SessionPair.Side) {
      (isEstablished, failure, count) = (side.isEstablished, side.failure?.code, side.plain.count)
      hasEnded = side.hasEnded
      guard side.isEstablished, side.failure == nil else { return }
      let information = side.session.information()
      (version, applicationProtocol) = (information.version, information.applicationProtocol)
      isResumed = information.isResumed
      // OpenSSL's servers forget the name in a resumed session of TLS 1.2.
      if !information.isResumed || information.version != "TLSv1.2" { serverName = information.serverName }
      subjects = information.peerCertificates.map(\.subject)
      hosts = information.peerCertificates.first?.hostnames
    }
  }

  /// Let the two sides meet twice, talk and say goodbye.
  func play(_ kind: TLSKind) throws -> [Outcome] {
    var (client, server) = (kind.client(), kind.server())
    change(kind, &client, &server)
    let contexts = try kind.contexts(client, server)
    return try (0..<2).flatMap { _ in
      let pair = try SessionPair(contexts.0, contexts.1, serverName: host)
      pair.exchange(piece: piece)
      for (side, other) in [(pair.client, pair.server), (pair.server, pair.client)] {
        if side.isEstablished, side.failure == nil { try? side.send([UInt8](repeating: 7, count: 20_000)) }
        try? side.session.end()
        pair.exchange(piece: piece)
        other.receive([], ended: true)
      }
      return [Outcome(pair.client), Outcome(pair.server)]
    }
  }
}

extension TLSSituation {
  static let all: [TLSSituation] = agreements + certificates + clientCertificates + refusals

  private static let agreements: [TLSSituation] = [
    TLSSituation("TLS 1.3"), TLSSituation("TLS 1.2") { _, client, _ in client.maximumVersion = .tls12 },
    TLSSituation("byte by byte", piece: 1),
    TLSSituation("byte by byte, TLS 1.2", piece: 1) { _, _, server in server.maximumVersion = .tls12 },
    TLSSituation("the server's choice of protocol") { _, client, server in
      (client.applicationProtocols, server.applicationProtocols) = (["h2", "http/1.1"], ["http/1.1", "h2"])
    },
    TLSSituation("protocols of one side") { _, client, _ in client.applicationProtocols = ["h2"] },
    TLSSituation("a client that does not resume") { _, client, _ in client.resumesSessions = false },
    TLSSituation("a server that does not resume") { _, _, server in server.resumesSessions = false },
    TLSSituation("a client that does not resume, TLS 1.2") { _, client, _ in
      (client.resumesSessions, client.maximumVersion) = (false, .tls12)
    },
  ]

  private static let certificates: [TLSSituation] =
    ["expired", "self", "unknown", "below", "chain", "other", "client"].map { name in
      TLSSituation("the certificate \(name)") { kind, _, server in server.identity = kind.identity(name) }
    }
    + [TLSVerification.none, .withoutHostname].map { verification in
      TLSSituation("another host, verification \(verification)") { kind, client, server in
        (client.verification, server.identity) = (verification, kind.identity("other"))
      }
    }
    + ["127.0.0.1", "::1", "127.0.0.2", "a.example.org", "A.EXAMPLE.org", "example.org", "a.b.example.org"].map {
      TLSSituation("the host \($0)", host: $0)
    }
    + ["other.example", "OTHER.example", "a.example.org", "localhost", "a.b.example.org"].map { name in
      TLSSituation("the name \(name)", host: name) { kind, _, server in
        server.identitiesByName = ["other.example": kind.identity("other"), "*.example.org": kind.identity("rsa")]
      }
    }

  private static let clientCertificates: [TLSSituation] = [TLSVersion.tls12, .tls13].flatMap { version in
    [TLSVerification.full, .optional].flatMap { verification in
      [nil, "client", "ecdsa", "unknown", "expired"].map { name in
        TLSSituation("\(version), \(verification), a client with \(name ?? "nothing")") { kind, client, server in
          client.maximumVersion = version
          (server.verification, server.trust) = (verification, kind.trust)
          client.identity = name.map { kind.identity($0) }
        }
      }
    }
  }

  private static let refusals: [TLSSituation] = [
    TLSSituation("no version in common") { _, client, server in
      (client.maximumVersion, server.minimumVersion) = (.tls12, .tls13)
    },
    TLSSituation("no version in common, the other way") { _, client, server in
      (client.minimumVersion, server.maximumVersion) = (.tls13, .tls12)
    },
    TLSSituation("no cipher in common") { _, client, server in
      (client.maximumVersion, client.ciphers) = (.tls12, "ECDHE-ECDSA-AES128-GCM-SHA256")
      server.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384"
    },
    TLSSituation("no cipher suite in common") { _, client, server in
      (client.minimumVersion, client.cipherSuites) = (.tls13, "TLS_AES_128_GCM_SHA256")
      server.cipherSuites = "TLS_AES_256_GCM_SHA384"
    },
    TLSSituation("no group in common") { _, client, server in
      (client.minimumVersion, client.groups, server.groups) = (.tls13, "P-256", "X25519")
    },
    TLSSituation("no protocol in common") { _, client, server in
      (client.applicationProtocols, server.applicationProtocols) = (["h2"], ["http/1.1"])
    },
    TLSSituation("no protocol in common, TLS 1.2") { _, client, server in
      (client.applicationProtocols, server.applicationProtocols) = (["h2"], ["http/1.1"])
      client.maximumVersion = .tls12
    },
  ]
}
