import AsyncIOPrograms
import Testing

@testable import AsyncIO

/// The web server behind the page: what it gives, and to whom.
@Suite(.timeLimit(.minutes(5)))
struct InspectionPageTests {
  private struct Gone: Error, CustomStringConvertible { var description: String { "it is \"gone\"" } }

  private func page(patience: Duration = .seconds(10), fails: Bool = false) -> InspectionPage {
    InspectionPage(
      files: ["/": .init(type: "text/html", bytes: Array("<p>".utf8))], key: "0123456789abcdef", patience: patience
    ) {
      if fails { throw Gone() }
      return "{}"
    }
  }

  private func answer(_ head: String, _ page: InspectionPage) async -> String {
    String(
      decoding: await page.answer(to: head.split(separator: "\n").joined(separator: "\r\n") + "\r\n\r\n"), as: UTF8.self
    )
  }

  private static let host = "\nHost: 127.0.0.1:8000"

  @Test("The page is for everybody on this machine, and the report for those who know the key")
  func key() async {
    let page = page()
    #expect(await answer("GET / HTTP/1.1" + Self.host, page).hasPrefix("HTTP/1.1 200 "))
    #expect(await answer("GET /?x=1 HTTP/1.1" + Self.host, page).hasSuffix("\r\n\r\n<p>"))
    #expect(await answer("HEAD / HTTP/1.1" + Self.host, page).hasSuffix("\r\n\r\n"))
    let report = "GET /snapshot.json HTTP/1.1" + Self.host
    #expect(await answer(report, page).hasPrefix("HTTP/1.1 403 "))
    for key in ["", "x", "0123456789abcdeF", "0123456789abcdef0"] {
      #expect(await answer(report + "\nX-Asyncio-Key: \(key)", page).hasPrefix("HTTP/1.1 403 "), "\(key)")
    }
    #expect(await answer(report + "\nx-asyncio-KEY:  0123456789abcdef ", page).hasSuffix("\r\n\r\n{}"))
    let failed = await answer(report + "\nX-Asyncio-Key: 0123456789abcdef", self.page(fails: true))
    #expect(failed.hasPrefix("HTTP/1.1 502 ") && failed.hasSuffix("{\"error\": \"it is \\\"gone\\\"\"}"))
  }

  @Test(
    "Requests by another name, from another origin or another site get nothing",
    arguments: [
      "", "\nHost: example.org", "\nHost: 127.0.0.1.example.org:80", "\nHost: localhost.", "\nHost: [::2]:80",
      "\nHost: 127.0.0.1\nHost: 127.0.0.1", host + "\nOrigin: http://example.org", host + "\nOrigin: null",
      host + "\nOrigin: https://127.0.0.1:8000", host + "\nSec-Fetch-Site: cross-site",
      host + "\nSec-Fetch-Site: same-site",
    ])
  func foreign(headers: String) async {
    let request = "GET /snapshot.json HTTP/1.1\nX-Asyncio-Key: 0123456789abcdef" + headers
    #expect(await answer(request, page()).hasPrefix("HTTP/1.1 403 "))
    #expect(await answer("GET / HTTP/1.1" + headers, page()).hasPrefix("HTTP/1.1 403 "))
  }

  @Test(
    "Names of this machine may have a port",
    arguments: ["localhost:1", "LOCALHOST", "[::1]:65535", "[::1]", "127.0.0.1"])
  func own(host: String) async {
    let origin = host.lowercased()
    let request = "GET / HTTP/1.1\nHost: \(host)\nOrigin: http://\(origin)\nSec-Fetch-Site: same-origin"
    #expect(await answer(request, page()).hasPrefix("HTTP/1.1 200 "))
  }

  @Test("What is not a request, not a page or has another method is refused")
  func refused() async {
    for (request, status) in [
      ("", 400), ("GET", 400), ("GET / HTTP/3" + Self.host, 400), ("GET x HTTP/1.1" + Self.host, 400),
      ("GET / HTTP/1.1\nno colon", 400), ("GET / HTTP/1.1\nHost : localhost", 400), ("GET / HTTP/1.1\n: x", 400),
      ("POST / HTTP/1.1" + Self.host, 405), ("GET /../etc/passwd HTTP/1.1" + Self.host, 404),
    ] {
      #expect(await answer(request, page()).hasPrefix("HTTP/1.1 \(status) "), "\(request)")
    }
  }

  @Test("Any bytes get an answer")
  func fuzz() async {
    var random = SplitMix(seed: 4711)
    let valid = "GET /snapshot.json HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Asyncio-Key: 0123456789abcdef\r\n\r\n"
    for _ in 0..<2000 {
      var bytes = Array(valid.utf8)
      for _ in 0...Int.random(in: 0..<4, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      let answer = await page().answer(to: String(decoding: bytes, as: UTF8.self))
      #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 "))
    }
  }

  @Test("A reader that says nothing, says too much or does not read is closed", arguments: LoopKind.allCases)
  func slow(kind: LoopKind) async throws {
    try await kind.run { loop in
      let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
      loop.exceptionHandler = { _, _ in }
      let page = page(patience: .milliseconds(20))
      let serving = try loopTask { try await page.serve(listener) }
      let silent = try await StreamConnection.connect(to: listener.addresses[0])
      #expect(try await silent.readToEnd().isEmpty)
      let endless = try await StreamConnection.connect(to: listener.addresses[0])
      try? await endless.write(String(repeating: "x", count: 100_000))
      #expect((try? await endless.readToEnd())?.isEmpty ?? true)
      let good = try await StreamConnection.connect(to: listener.addresses[0])
      try await good.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
      #expect(String(decoding: try await good.readToEnd(), as: UTF8.self).hasSuffix("<p>"))
      for connection in [silent, endless, good] { connection.close() }
      listener.close()
      try await serving.value
    }
  }

  @Test("Keys are long and differ")
  func keys() {
    let keys = Set((0..<100).map { _ in InspectionPage.makeKey() })
    #expect(keys.count == 100 && keys.allSatisfy { $0.utf8.count == 32 })
  }
}
