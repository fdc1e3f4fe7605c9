extension ConformanceSuite {
  /// The page of the documentation that lists where the checks expect something other than what CPython does, in
  /// Markdown: `asyncio conformance --deviations`.
  public static var deviationsPage: String {
    let deviations = checks.compactMap { check in
      check.deviation.map { "| \(check.group.rawValue)\(check.id) | \(check.title) | \($0) |" }
    }
    let without = withoutMeaning.sorted { $0.line < $1.line }.map { entry in
      "| \(ConformanceGroup(line: entry.line)?.rawValue ?? "")\(entry.line) | \(entry.reason) |"
    }
    return """
      # Deviations

      The lines of the conformance list that do on purpose something else than CPython.

      ## Overview

      The library `AsyncIOConformance` holds event loops to a numbered list of asyncio's behaviours. Most lines expect
      what CPython does, and `Scripts/oracle.py` compares the two. The lines below expect something else; why, is in
      <doc:Semantics>.

      This page is made by `asyncio conformance --deviations`.

      ## Where the expectation differs

      | line | here | there |
      | --- | --- | --- |
      \(deviations.joined(separator: "\n"))

      ## Lines without meaning here

      \(without.isEmpty ? "None: every line has a check." : table(of: without))
      """
  }

  private static func table(of rows: [String]) -> String {
    """
    | line | why |
    | --- | --- |
    \(rows.joined(separator: "\n"))
    """
  }
}
