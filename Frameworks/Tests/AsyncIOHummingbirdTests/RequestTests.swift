import AsyncIO
import AsyncIOHummingbird
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Synchronization
import Testing

@testable import HelloService

/// The same program on Hummingbird's own loops and on ours, and what its clients see.
@Suite("Requests to a Hummingbird application", .timeLimit(.minutes(2)))
struct RequestTests {
  @Test(
    "Answers, a route that is not there, a method that is not, on one loop and on two", arguments: Site.allCases,
    [1, 2])
  func answers(site: Site, threads: Int) async throws {
    var setting = Setting()
    setting.threads = threads
    try await site.serve(helloRouter(), setting) { service async throws in
      let hello = try await request(service.port, "GET / HTTP/1.1")
      #expect(hello.text == "Hello, world!\n" && hello.status == 200)
      #expect(hello.headers["server"] == "test")
      #expect(hello.headers["content-length"] == "14")
      #expect(try #require(hello.headers["date"]).hasSuffix(" GMT"))
      let json = try await request(service.port, "GET /json HTTP/1.1")
      #expect(json.text == #"{"message":"Hello, world!","primes":[2,3,5,7]}"#)
      #expect(json.headers["content-type"] == "application/json; charset=utf-8")
      #expect(try await request(service.port, "GET /nowhere HTTP/1.1").status == 404)
      #expect(try await request(service.port, "POST / HTTP/1.1", "content-length: 0").status == 404)
      let bad = try await request(service.port, "GET /bytes/-1 HTTP/1.1")
      #expect(bad.status == 400 && bad.text.contains("Give 0 or more."))
    }
  }

  @Test("Bodies that stream, both ways", arguments: Site.allCases, [0, 1, 70_000, 3_000_000])
  func bodies(site: Site, size: Int) async throws {
    try await site.serve(helloRouter()) { service async throws in
      let answer = try await request(service.port, "GET /bytes/\(size) HTTP/1.1")
      #expect(answer.body == (0..<size).map { UInt8($0 % 251) })
      // The echo comes while the body goes, so writing and reading go on at the same time.
      let body = String(repeating: "0123456789", count: size / 10)
      try await connected(service.port) { connection async throws in
        async let echo = connection.answer()
        try await connection.send(
          "POST /echo HTTP/1.1", "host: test", "content-length: \(body.utf8.count)", body: body)
        #expect(try await echo.text == body)
      }
      try await connected(service.port) { connection async throws in
        async let echo = connection.answer()
        try await connection.send("POST /echo HTTP/1.1", "host: test", "transfer-encoding: chunked")
        for start in stride(from: 0, to: body.utf8.count, by: 100_000) {
          let chunk = body.utf8.dropFirst(start).prefix(100_000)
          try await connection.write("\(String(chunk.count, radix: 16))\r\n\(Substring(chunk))\r\n")
        }
        try await connection.write("0\r\n\r\n")
        #expect(try await echo.text == body)
      }
    }
  }

  @Test("A connection is kept, requests may follow before their answers, HEAD has no body", arguments: Site.allCases)
  func keepAlive(site: Site) async throws {
    try await site.serve(helloRouter()) { service async throws in
      try await connected(service.port) { connection async throws in
        for _ in 0..<3 {
          try await connection.send("GET / HTTP/1.1", "host: test")
          #expect(try await connection.answer().text == "Hello, world!\n")
        }
        for count in 0..<20 { try await connection.send("GET /bytes/\(count) HTTP/1.1", "host: test") }
        for count in 0..<20 { #expect(try await connection.answer().body.count == count) }
        try await connection.send("HEAD / HTTP/1.1", "host: test")
        try await connection.send("GET / HTTP/1.1", "host: test", "connection: close")
        _ = try await connection.answer(isHead: true)
        #expect(try await connection.answer().text == "Hello, world!\n")
        #expect(try await connection.readLine() == nil)
      }
    }
  }

  @Test("HTTP/1.0 ends with its connection", arguments: Site.allCases)
  func old(site: Site) async throws {
    try await site.serve(helloRouter()) { service async throws in
      try await connected(service.port) { connection async throws in
        try await connection.send("GET / HTTP/1.0")
        let answer = try await connection.answer()
        #expect(answer.text == "Hello, world!\n")
        try connection.writeEOF()
        #expect(try await connection.readLine() == nil)
      }
    }
  }

  @Test("A client that expects 100-continue gets what the application makes of it", arguments: Site.allCases)
  func expectContinue(site: Site) async throws {
    try await site.serve(helloRouter()) { service async throws in
      try await connected(service.port) { connection async throws in
        try await connection.send(
          "POST /echo HTTP/1.1", "host: test", "content-length: 4", "expect: 100-continue")
        try await connection.write("body")
        #expect(try await connection.answer().text == "body")
      }
    }
  }

  @Test("What is not HTTP is answered with 400 and the end", arguments: Site.allCases)
  func notHTTP(site: Site) async throws {
    try await site.serve(helloRouter()) { service async throws in
      try await connected(service.port) { connection async throws in
        try await connection.write("this is not HTTP\r\n\r\n")
        #expect(try await connection.answer().status == 400)
        #expect(try await connection.readLine() == nil)
      }
      #expect(try await request(service.port, "GET / HTTP/1.1").status == 200)
    }
  }

  struct Broken: Error {}

  @Test("Errors of handlers, middleware around them, the id in the logger", arguments: Site.allCases)
  func errors(site: Site) async throws {
    let router = Router()
    router.add(middleware: Stamp())
    router.get("/broken") { _, _ -> String in throw Broken() }
    router.get("/teapot") { _, _ -> String in throw HTTPError(.init(code: 418), message: "short and stout") }
    router.get("/id") { _, context in "\(context.logger[metadataKey: "hb.request.id"] ?? "none") \(context.id)" }
    try await site.serve(router) { service async throws in
      let broken = try await request(service.port, "GET /broken HTTP/1.1")
      #expect(broken.status == 500 && broken.body.isEmpty)
      #expect(broken.headers["date"] != nil)
      let teapot = try await request(service.port, "GET /teapot HTTP/1.1")
      #expect(teapot.status == 418 && teapot.text.contains("short and stout"))
      let ids = try await request(service.port, "GET /id HTTP/1.1")
      #expect(ids.headers["x-stamp"] == "1")
      let words = ids.text.split(separator: " ")
      #expect(words.count == 2 && words[0] == words[1], "\(ids.text)")
      #expect(try await request(service.port, "GET /id HTTP/1.1").text != ids.text)
    }
  }

  struct Stamp: RouterMiddleware {
    func handle(
      _ input: Request, context: BasicRequestContext,
      next: @concurrent (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
      var response = try await next(input, context)
      response.headers[HTTPField.Name("x-stamp")!] = "1"
      return response
    }
  }
}
