import COpenSSL
import POSIX
import Testing

@testable import AsyncIO

/// Certificates that are chosen by the names in them.
@Suite("TLS names", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"))
struct TLSNamesTests {
  @Test(
    "Of several certificates the one is shown that has the name, and the first one if none has",
    arguments: [
      ("other.example", "other"), ("OTHER.example", "other"), ("localhost", "ecdsa"), ("a.example.org", "ecdsa"),
      ("unknown.example", nil),
    ], TLSKind.allCases)
  func chooses(_ chosen: (name: String, subject: String?), kind: TLSKind) throws {
    var server = kind.server("ecdsa")
    server.furtherIdentities = [kind.identity("other")]
    let contexts = try kind.contexts(kind.client(), server)
    let pair = try SessionPair(contexts.0, contexts.1, serverName: chosen.name)
    pair.exchange()
    guard let subject = chosen.subject else {
      #expect(pair.client.failure?.code == .hostnameMismatch)
      return
    }
    #expect(pair.client.session.information().peerCertificates.first?.subject == "CN=\(subject)")
  }

  @Test("A certificate that would never be shown is an error that names it", arguments: TLSKind.allCases)
  func neverChosen(kind: TLSKind) throws {
    for (name, reason) in [("rsa", "others have its names already"), ("client", "it has no names of hosts")] {
      var server = kind.server("ecdsa")
      server.furtherIdentities = [kind.identity(name)]
      let error = #expect(throws: TLSError.self) { try kind.contexts(kind.client(), server) }
      #expect(error?.code == .invalidConfiguration)
      #expect(error?.message.contains(reason) == true, "\(String(describing: error))")
      if kind == .openssl { #expect(error?.message.contains("\(name).pem") == true) }
    }
  }

  /// How many descriptors of this process are of a file.
  private static func descriptors(of path: String) -> Int {
    (0..<1024).count { number in
      var target = [CChar](repeating: 0, count: 512)
      let count = readlink("/proc/self/fd/\(number)", &target, target.count)
      return count > 0 && String(decoding: target[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) == path
    }
  }

  @Test("What the certificates of several names have in common is loaded and opened once")
  func shared() throws {
    let directory = TemporaryDirectory()
    var server = TLSSessionTests.server().wantingCertificates
    server.keyLogFile = "\(directory.path)/keys"
    server.identitiesByName = ["*.other.example": TLSSessionTests.identity("rsa")]
    server.furtherIdentities = [TLSSessionTests.identity("other")]
    try withExtendedLifetime(TLSContext(server)) { context in
      let first = try #require(context.provided as? OpenSSLContext)
      for name in ["www.other.example", "other.example"] {
        let other = try #require(first.contextNamed(name))
        let api = other.openssl.api.pointee
        #expect(api.SSL_CTX_get_cert_store(other.handle) == api.SSL_CTX_get_cert_store(first.handle))
        #expect(api.OPENSSL_sk_num(api.SSL_CTX_get_client_CA_list(other.handle)) == 1)
        #expect(other.keyLog === first.keyLog)
      }
      #expect(Self.descriptors(of: server.keyLogFile!) == 1)
    }
    #expect(Self.descriptors(of: server.keyLogFile!) == 0)
  }

  @Test(
    "A server that asks for certificates looks at them, whichever certificate it shows",
    arguments: [("client", nil), (nil, .certificateMissing), ("unknown", .unknownAuthority)]
      as [(String?, TLSError.Code?)], TLSKind.allCases)
  func clients(_ shown: (name: String?, refusal: TLSError.Code?), kind: TLSKind) throws {
    var (client, server) = (kind.client(), kind.server("ecdsa"))
    (server.verification, server.trust) = (.full, kind.trust)
    server.furtherIdentities = [kind.identity("other")]
    client.identity = shown.name.map { kind.identity($0) }
    for name in ["localhost", "other.example"] {
      let contexts = try kind.contexts(client, server)
      let pair = try SessionPair(contexts.0, contexts.1, serverName: name)
      pair.exchange()
      #expect(pair.server.failure?.code == shown.refusal)
      #expect(pair.server.isEstablished == (shown.refusal == nil))
    }
  }

  @Test("A whole name goes before a star, whichever certificate is first, and the first one wins a tie")
  func names() {
    var names = TLSNames<String>()
    #expect(names.isEmpty)
    for (name, owner) in [("*.example.org", "star"), ("WWW.example.org.", "whole"), ("www.example.org", "late")] {
      names.give(name, to: owner)
    }
    names.keep(["example.org", "*.example.org", "own.example.org"])
    for (name, owner) in [
      ("www.example.org", "whole"), ("www.EXAMPLE.org.", "whole"), ("a.example.org", "star"),
      ("own.example.org", nil), ("example.org", nil), ("a.b.example.org", nil), ("", nil), (".", nil), ("org", nil),
      ("*.example.org", "star"), (".example.org", "star"),
    ] {
      #expect(names.owner(of: name) == owner, "\(name)")
    }
  }
}
