import SystemPackage
import Testing

@testable import AsyncIO

/// Connections that are protected after they were used without, and the other way round.
@Suite(
  "TLS upgrades", .enabled(if: TestCertificates.isAvailable, "the program openssl is not installed"),
  .timeLimit(.minutes(5)))
struct TLSUpgradeTests {
  @Test("A hello that was read and put back is the peer's, and comes first", arguments: LoopKind.allCases)
  func putBack(kind: LoopKind) async throws {
    try await kind.run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      try await pair.near.write("one\ntwo")
      #expect(try await pair.far.readLine() == "one")
      try pair.far.putBack([UInt8]("zero".utf8))
      #expect(try await pair.far.readExactly(7) == [UInt8]("zerotwo".utf8))
      let server = try loopTask {
        let beginning = try await pair.far.read(upTo: 20)
        try pair.far.putBack(beginning)
        try await pair.far.startTLS(TLSContext(TLSSessionTests.server()))
        return try await pair.far.readExactly(6)
      }
      try await pair.near.startTLS(TLSContext(TLSSessionTests.client()), serverHostname: "localhost")
      try await pair.near.write("secret")
      #expect(try await server.value == [UInt8]("secret".utf8))
    }
  }

  @Test("Plain bytes before startTLS are not taken for protected ones", arguments: LoopKind.allCases)
  func injection(kind: LoopKind) async throws {
    try await kind.run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      try await pair.near.write("STARTTLS\r\nDELETE everything\r\n")
      #expect(try await pair.far.readLine() == "STARTTLS")
      let error = try await failure(TLSError.self) {
        try await pair.far.startTLS(TLSContext(TLSSessionTests.server()))
      }
      #expect(error.code == .notTLS, "\(error)")
    }
  }

  @Test("startTLS after plain lines, and back", arguments: LoopKind.allCases, [TLSVersion.tls12, .tls13])
  func thereAndBack(kind: LoopKind, version: TLSVersion) async throws {
    try await kind.run { _ in
      let pair = try await StreamPair.make()
      defer { pair.close() }
      try await pair.near.write("hello\n")
      #expect(try await pair.far.readLine() == "hello")
      var client = TLSSessionTests.client()
      client.maximumVersion = version
      for round in 0..<3 {
        try await pair.protect(client: client)
        try await pair.near.write("secret \(round)\n")
        #expect(try await pair.far.readLine() == "secret \(round)")
        async let back: Void = pair.far.unwrapTLS()
        try await pair.near.unwrapTLS()
        // Perhaps with the goodbye in one segment.
        try await pair.near.write("plain \(round)\n")
        try await back
        #expect(try await pair.far.readLine() == "plain \(round)")
        try await pair.far.write("answer\n")
        #expect(try await pair.near.readLine() == "answer")
      }
    }
  }
}
