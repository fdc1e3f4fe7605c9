package import AsyncIO

// The page on which a browser shows a process: a small web server for one reader, in the command and not in the process
// that is looked at. The traps:
//
// - A port of the loopback interface is open to every user of the machine. So the report needs a key, which stands in
//   the fragment of the page's address: a browser sends that to nobody, and no log has it.
// - Any page in the same browser can send requests here. It cannot set the header that has the key; and a page of
//   another origin, or of a name that was made to point here, is refused by what the browser says of it.
// - A reader may be slow, or say nothing. Each request has a limit of bytes and of time, there are few connections at a
//   time, and each serves one request.
// - Nothing may come from another host: the policy in the answers forbids it.

/// Serves the page of one process.
package struct InspectionPage: Sendable {
  /// A file of the page.
  package struct File: Sendable {
    var type: String
    var bytes: [UInt8]

    package init(type: String, bytes: [UInt8]) { (self.type, self.bytes) = (type, bytes) }
  }

  private let files: [String: File]
  private let key: String
  private let report: @Sendable () async throws -> String
  /// Of one request, and of its answer.
  private let patience: Duration

  /// - Parameters:
  ///   - files: by their paths; "/" is the page.
  ///   - key: what a reader has to know.
  ///   - report: what `/snapshot.json` is.
  package init(
    files: [String: File], key: String, patience: Duration = .seconds(10),
    report: @escaping @Sendable () async throws -> String
  ) {
    (self.files, self.key, self.patience, self.report) = (files, key, patience, report)
  }

  /// Make a key that cannot be guessed.
  package static func makeKey() -> String {
    var random = SystemRandomNumberGenerator()
    return (0..<2).map { _ in
      let digits = String(UInt64.random(in: .min ... .max, using: &random), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Serve until the listener is closed or the task is cancelled.
  package func serve(_ listener: StreamListener) async throws {
    try await listener.serve(maximumConnections: Self.mostConnections) { connection in
      // One that says nothing, or too much, is closed without an answer.
      let head = try await withTimeout(patience) {
        try await connection.readUntil(Array("\r\n\r\n".utf8), limit: Self.longestRequest)
      }
      let answer = await answer(to: String(decoding: head, as: UTF8.self))
      try await withTimeout(patience) {
        try await connection.write(answer)
      }
      try connection.writeEOF()
      // Unread bytes would make a reset of the end, and take the answer away.
      _ = try? await withTimeout(.seconds(1)) { try await connection.readToEnd(limit: Self.longestRequest) }
    }
  }

  private static var mostConnections: Int { 32 }
  private static var longestRequest: Int { 16 * 1024 }

  // MARK: One request

  /// Return the answer to the head of a request, with its own head.
  package func answer(to head: String) async -> [UInt8] {
    guard let request = HTTPRequest(head) else { return Self.answer(400, text: "This is not a request of HTTP/1.1.") }
    if let refusal = request.refusal { return Self.answer(403, text: refusal) }
    guard request.method == "GET" || request.method == "HEAD" else {
      return Self.answer(405, text: "Only GET and HEAD are allowed.", more: ["Allow: GET, HEAD"])
    }
    var answer: [UInt8]
    if request.path == "/snapshot.json" {
      answer = await snapshot(request)
    } else if let file = files[request.path] {
      answer = Self.answer(200, type: file.type, file.bytes)
    } else {
      answer = Self.answer(404, text: "There is no such page.")
    }
    if request.method == "HEAD" { answer = Self.withoutBody(answer) }
    return answer
  }

  private func snapshot(_ request: HTTPRequest) async -> [UInt8] {
    guard let given = request.headers["x-asyncio-key"], Self.isSame(given, key) else {
      return Self.answer(403, text: "The key is missing or wrong. Use the address that the command has printed.")
    }
    do {
      return Self.answer(200, type: "application/json", Array(try await report().utf8))
    } catch {
      let text = JSON.object([("error", JSON.string("\(error)"))])
      return Self.answer(502, type: "application/json", Array(text.utf8))
    }
  }

  /// Compare in a time that does not say how much is right.
  private static func isSame(_ a: String, _ b: String) -> Bool {
    let (a, b) = (Array(a.utf8), Array(b.utf8))
    guard a.count == b.count else { return false }
    return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
  }

  private static func answer(_ status: Int, text: String, more: [String] = []) -> [UInt8] {
    answer(status, type: "text/plain; charset=utf-8", Array("\(text)\n".utf8), more)
  }

  private static func answer(_ status: Int, type: String, _ body: [UInt8], _ more: [String] = []) -> [UInt8] {
    let reasons = [
      200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 502: "Bad Gateway",
    ]
    let lines =
      [
        "HTTP/1.1 \(status) \(reasons[status] ?? "")", "Content-Type: \(type)", "Content-Length: \(body.count)",
        "Connection: close", "Cache-Control: no-store", "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer", "Cross-Origin-Resource-Policy: same-origin",
        "Cross-Origin-Opener-Policy: same-origin",
        "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
          + "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      ] + more
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
  }

  private static func withoutBody(_ answer: [UInt8]) -> [UInt8] {
    let end: [UInt8] = Array("\r\n\r\n".utf8)
    guard answer.count >= end.count else { return answer }
    let start = (0...answer.count - end.count).first { Array(answer[$0..<$0 + end.count]) == end }
    return start.map { Array(answer[..<($0 + end.count)]) } ?? answer
  }
}

/// The head of a request, as far as the page needs it.
struct HTTPRequest {
  let method: String
  /// Without a query.
  let path: String
  /// By their names in small letters. One that comes twice is a list with a comma, which nothing here expects.
  let headers: [String: String]

  init?(_ head: String) {
    var lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)
    guard let first = lines.first else { return nil }
    lines.removeFirst()
    let words = first.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0", words[1].hasPrefix("/") else {
      return nil
    }
    var headers: [String: String] = [:]
    for line in lines {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else { return nil }
      let name = line[..<colon].lowercased()
      guard !name.contains(" "), !name.contains("\t") else { return nil }
      var value = line[line.index(after: colon)...]
      while value.first == " " || value.first == "\t" { value.removeFirst() }
      while value.last == " " || value.last == "\t" { value.removeLast() }
      headers[name] = headers[name].map { "\($0), \(value)" } ?? String(value)
    }
    method = String(words[0])
    path = String(words[1].prefix { $0 != "?" && $0 != "#" })
    self.headers = headers
  }

  /// Why the request is not the page's own; nil if it may be.
  var refusal: String? {
    guard let host = headers["host"], Self.isLoopback(host) else {
      return "The page is for this machine. Open it by 127.0.0.1, [::1] or localhost; from elsewhere by ssh -L."
    }
    if let origin = headers["origin"] {
      guard origin.hasPrefix("http://"), Self.isLoopback(String(origin.dropFirst("http://".count))) else {
        return "Pages of other origins get nothing."
      }
    }
    if let site = headers["sec-fetch-site"], site != "same-origin", site != "none" {
      return "Pages of other sites get nothing."
    }
    return nil
  }

  /// True for names of this machine, with or without a port.
  private static func isLoopback(_ authority: String) -> Bool {
    var host = authority[...]
    if let colon = host.lastIndex(of: ":"), host[host.index(after: colon)...].allSatisfy(\.isNumber),
      !host.hasSuffix("]")
    {
      host = host[..<colon]
    }
    return ["127.0.0.1", "[::1]", "localhost"].contains(host.lowercased())
  }
}
