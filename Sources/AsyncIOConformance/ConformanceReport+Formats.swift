import AsyncIO

extension ConformanceReport {
  /// The results as a table in plain text: line, result, title, and what was seen or the reason.
  public var table: String {
    let header = ["line", "result", "behaviour", "seen"]
    let rows = results.map { result in
      switch result.outcome {
      case .passed: [result.check.id, "pass", result.check.title, result.seenText]
      case .failed(let why): [result.check.id, "FAIL", result.check.title, why]
      case .notOffered(let why): [result.check.id, "-", result.check.title, why]
      }
    }
    let widths = (0..<3).map { column in
      ([header] + rows).reduce(0) { max($0, $1[column].count) }
    }
    return ([header] + rows).map { row in
      let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
      return (cells + [row[3]]).joined(separator: "  ")
    }.joined(separator: "\n")
  }

  /// The report as one JSON object, a result on a line.
  public var json: String {
    let results = results.map { "    " + $0.json }.joined(separator: ",\n")
    return """
      {
        "loop": \(JSON.string(loopName)),
        "results": [
      \(results)
        ]
      }
      """
  }
}

extension ConformanceResult {
  /// "order=a b c, turns=2".
  var seenText: String { seen.map { "\($0.name)=\($0.value)" }.joined(separator: ", ") }

  fileprivate var json: String {
    let (word, why): (String, String?) =
      switch outcome {
      case .passed: ("pass", nil)
      case .failed(let why): ("fail", why)
      case .notOffered(let why): ("not offered", why)
      }
    return JSON.object([
      ("line", "\(check.line)"), ("facet", check.facet.map(JSON.string) ?? "null"),
      ("group", JSON.string(check.group.rawValue)), ("title", JSON.string(check.title)),
      ("result", JSON.string(word)), ("why", why.map(JSON.string) ?? "null"),
      ("deviation", check.deviation.map(JSON.string) ?? "null"),
      ("seen", JSON.object(seen.map { ($0.name, JSON.string($0.value)) })),
    ])
  }
}
