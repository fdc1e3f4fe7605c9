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
