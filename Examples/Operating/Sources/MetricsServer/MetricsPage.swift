import AsyncIO

/// Answers `GET /metrics`, and nothing else, over HTTP/1.1: one request for each connection.
struct MetricsPage: Sendable {
  let registry: PrometheusRegistry
  /// How long a client may take for its request.
  var patience = Duration.seconds(5)

  func serve(_ connection: StreamConnection) async throws {
    let head = try await withTimeout(patience) { try await connection.readUntil(Array("\r\n\r\n".utf8), limit: 8192) }
    let line = String(decoding: head.prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self).split(separator: " ")
    guard line.count == 3, line[2].hasPrefix("HTTP/1.") else { return try await answer(connection, "400 Bad Request") }
    guard line[0] == "GET" else { return try await answer(connection, "405 Method Not Allowed") }
    guard line[1] == "/metrics" else { return try await answer(connection, "404 Not Found") }
    try await answer(connection, "200 OK", registry.text)
  }

  private func answer(_ connection: StreamConnection, _ status: String, _ body: String = "") async throws {
    let head = """
      HTTP/1.1 \(status)\r
      Content-Type: text/plain; version=0.0.4; charset=utf-8\r
      Content-Length: \(body.utf8.count)\r
      Connection: close\r
      \r

      """
    try await connection.write(head + body)
  }
}
