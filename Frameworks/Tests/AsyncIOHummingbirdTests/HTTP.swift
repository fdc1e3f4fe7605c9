import AsyncIO

/// An answer as it came over the wire.
struct Answer: Equatable, Sendable {
  var version: String
  var status: Int
  /// The names in lower case.
  var headers: [String: String]
  var body: [UInt8]
  var text: String { String(decoding: body, as: UTF8.self) }
}

/// The connection ended where an answer was to come or to go on.
struct ConnectionEnded: Error {}

/// What a server sent is not what the protocol says.
struct BadAnswer: Error { var what: String }

// An HTTP client that sends what a test says, to the byte, and reads what comes.

extension StreamConnection {
  /// Send a request as text, with CRLF for each line's end and an empty line at its end.
  func send(_ lines: String..., body: String = "") async throws {
    try await write(lines.map { $0 + "\r\n" }.joined() + "\r\n" + body)
  }

  /// Read an answer, after any informational ones if those are not asked for.
  func answer(includingInformational: Bool = false, isHead: Bool = false) async throws -> Answer {
    while true {
      let answer = try await oneAnswer(isHead)
      if answer.status >= 200 || includingInformational { return answer }
    }
  }

  private func oneAnswer(_ isHead: Bool) async throws -> Answer {
    guard let first = try await readLine() else { throw ConnectionEnded() }
    let words = first.split(separator: " ", maxSplits: 2)
    guard words.count >= 2, let status = Int(words[1]) else { throw BadAnswer(what: first) }
    var headers: [String: String] = [:]
    while true {
      guard let line = try await readLine() else { throw ConnectionEnded() }
      if line.isEmpty { break }
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { throw BadAnswer(what: line) }
      headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
    }
    let body = status < 200 || isHead ? [] : try await body(headers)
    return Answer(version: String(words[0]), status: status, headers: headers, body: body)
  }

  private func body(_ headers: [String: String]) async throws -> [UInt8] {
    if headers["transfer-encoding"] == "chunked" { return try await chunks() }
    if let length = headers["content-length"].flatMap({ Int($0) }) { return try await readExactly(length) }
    return try await readToEnd()
  }

  private func chunks() async throws -> [UInt8] {
    var body: [UInt8] = []
    while let line = try await readLine() {
      guard let size = Int(line, radix: 16) else { throw BadAnswer(what: "a chunk of \(line)") }
      body += try await readExactly(size)
      _ = try await readLine()
      if size == 0 { return body }
    }
    throw ConnectionEnded()
  }
}

/// Connect, use the connection, close it.
func connected<Value>(
  _ port: UInt16, tls: TLSContext? = nil, _ body: (StreamConnection) async throws -> Value
) async throws -> Value {
  let connection = try await StreamConnection.connect(
    host: "127.0.0.1", port: port, tls: tls, serverHostname: tls == nil ? nil : "localhost")
  defer { connection.close() }
  return try await body(connection)
}

/// One request on a connection of its own.
func request(_ port: UInt16, _ lines: String..., body: String = "") async throws -> Answer {
  try await connected(port) { connection async throws in
    try await connection.write((lines + ["host: test", ""]).map { $0 + "\r\n" }.joined() + body)
    return try await connection.answer()
  }
}
