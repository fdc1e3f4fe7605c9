import AsyncIO
import AsyncIOHummingbird
import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdHTTP2
import HummingbirdTLS
import NIOSSL
import TestSupport
import Testing

@testable import HelloService

extension Certificate {
  /// A client of AsyncIO's own TLS, which is OpenSSL: another make than the server's.
  static func client(_ protocols: [String] = []) throws -> TLSContext {
    var configuration = AsyncIO.TLSConfiguration.client(trusting: .pem(chain))
    configuration.applicationProtocols = protocols
    return try TLSContext(configuration)
  }
}

@Suite("Hummingbird over TLS", .timeLimit(.minutes(2)))
struct TLSTests {
  @Test("HTTP/1 in TLS: answers and large bodies both ways", arguments: Site.allCases)
  func http1(site: Site) async throws {
    var setting = Setting()
    setting.server = try .tls(.http1(), tlsConfiguration: Certificate.server())
    let tls = try Certificate.client()
    try await site.serve(helloRouter(), setting) { service async throws in
      try await connected(service.port, tls: tls) { connection async throws in
        try await connection.send("GET / HTTP/1.1", "host: test")
        #expect(try await connection.answer().text == "Hello, world!\n")
        let body = String(repeating: "0123456789", count: 100_000)
        async let echo = connection.answer()
        try await connection.send(
          "POST /echo HTTP/1.1", "host: test", "content-length: \(body.utf8.count)", body: body)
        #expect(try await echo.text == body)
      }
      // What is not TLS is cut, and the next client is served.
      try await connected(service.port) { connection async throws in
        try await connection.send("GET / HTTP/1.1", "host: test")
        _ = try? await connection.readToEnd()
      }
      try await connected(service.port, tls: tls) { connection async throws in
        try await connection.send("GET /bytes/10 HTTP/1.1", "host: test")
        #expect(try await connection.answer().body.count == 10)
      }
    }
  }

  @Test("The negotiation decides between HTTP/1 and HTTP/2", arguments: Site.allCases)
  func negotiation(site: Site) async throws {
    var setting = Setting()
    setting.server = try .http2Upgrade(tlsConfiguration: Certificate.server())
    try await site.serve(helloRouter(), setting) { service async throws in
      try await connected(service.port, tls: try Certificate.client(["http/1.1"])) { connection async throws in
        try await connection.send("GET / HTTP/1.1", "host: test")
        #expect(try await connection.answer().text == "Hello, world!\n")
      }
      let file = "/tmp/asyncio-fw-\(UInt32.random(in: 0 ... .max)).pem"
      try Self.write(Certificate.chain, to: file)
      defer { unlink(file) }
      let url = "https://localhost:\(service.port)"
      let common = ["-sS", "--max-time", "60", "--cacert", file, "--resolve", "localhost:\(service.port):127.0.0.1"]
      for version in ["1.1", "2"] {
        let curl = try await ChildProcess.run(
          "curl", common + ["--http\(version)", "-w", "%{http_version} %{http_code}", url + "/"])
        #expect(curl.text == "Hello, world!\n\(version) 200")
      }
      let body = [UInt8](repeating: 7, count: 1_000_000)
      let echo = try await ChildProcess.run(
        "curl", common + ["--http2", "--data-binary", "@-", url + "/echo"], input: body)
      #expect(echo.output == body)
      let missing = try await ChildProcess.run(
        "curl", common + ["--http2", "-w", "%{http_code}", "-o", "/dev/null", url + "/nowhere"])
      #expect(missing.text == "404")
    }
  }

  @Test("HTTP/2 with prior knowledge, without TLS", arguments: Site.allCases)
  func plain(site: Site) async throws {
    var setting = Setting()
    setting.server = .plaintextHTTP2()
    try await site.serve(helloRouter(), setting) { service async throws in
      let curl = try await ChildProcess.run(
        "curl",
        [
          "-sS", "--max-time", "60", "--http2-prior-knowledge", "-w", "%{http_version}",
          "http://127.0.0.1:\(service.port)/json",
        ])
      #expect(curl.text == #"{"message":"Hello, world!","primes":[2,3,5,7]}2"#)
    }
  }

  private static func write(_ text: String, to path: String) throws {
    let file = try #require(fopen(path, "w"))
    fputs(text, file)
    fclose(file)
  }
}
