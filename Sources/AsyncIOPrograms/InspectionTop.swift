package import AsyncIO

/// What `asyncio top` shows: rates between two reports, loops first, then what is busiest.
package struct InspectionTop {
  private var last: InspectionReport?
  /// Seconds between the last report and this one.
  private var elapsed = 0.0

  package init() {}

  /// Return the screen for a report, at most `rows` lines.
  package mutating func screen(_ report: InspectionReport, rows: Int) -> [String] {
    elapsed = last.map { report.clock - $0.clock } ?? 0
    defer { last = report }
    let process = "\(InspectionText.clean(report.process.program)), process \(report.process.pid)"
    var lines = [
      "\(process): \(report.loops.count) loops, inspected for \(InspectionText.duration(report.process.age))", "",
    ]
    lines += InspectionText.table(
      [
        "LOOP", "OVER", "TURNS/s", "BUSY", "LONGEST", "READY", "TASKS", "CONNS", "IN/s", "OUT/s", "TIMERS", "POOL",
        "NOW",
      ],
      report.loops.map(row))
    for loop in report.loops where !loop.answers {
      lines += ["", "  loop \(loop.number) \(InspectionText.hang(loop))"]
    }
    let slow = report.loops.flatMap { loop in loop.slow.map { (loop.number, $0) } }.sorted { $0.1.ago < $1.1.ago }
    if !slow.isEmpty {
      lines += ["", "  slow callbacks and jobs"]
      lines += InspectionText.table(
        ["LOOP", "TOOK", "AGO", "WHAT"],
        slow.prefix(5).map { number, slow in
          ["\(number)", InspectionText.duration(slow.took), InspectionText.duration(slow.ago), slow.what]
        })
    }
    let tasks = report.loops.flatMap { loop in loop.tasks.shown.map { (loop.number, $0) } }
    if !tasks.isEmpty {
      lines += ["", "  tasks, the oldest first"]
      lines += InspectionText.table(
        ["LOOP", "ID", "TASK", "STATE", "AGE", "WAITS FOR"],
        tasks.prefix(max(0, rows)).map { number, task in
          [
            "\(number)", "\(task.id)", task.name, task.state, task.age.map(InspectionText.duration) ?? "",
            task.waits?.what ?? "",
          ]
        })
    }
    return Array(lines.prefix(max(3, rows)))
  }

  private func row(_ loop: InspectionReport.Loop) -> [String] {
    let before = last?.loops.first { $0.number == loop.number }
    // Of a loop that was not there before, the rates since it is watched.
    let elapsed = before == nil ? loop.turns.watched : self.elapsed
    func rate(_ now: Double, _ before: Double?) -> String {
      elapsed > 0 ? InspectionText.number(max(0, now - (before ?? 0)) / elapsed, 0) : ""
    }
    func bytes(_ path: KeyPath<InspectionReport.Connection, UInt64?>) -> String {
      guard let now = loop.connections, let before = before?.connections, elapsed > 0 else { return "" }
      // Of those that were there before: a number that is another connection's now has another peer.
      let earlier = Dictionary(before.shown.map { ("\($0.number) \($0.peer ?? "")", $0[keyPath: path] ?? 0) }) { a, _ in
        a
      }
      let moved = now.shown.reduce(0.0) { sum, connection in
        let count = connection[keyPath: path] ?? 0
        let old = earlier["\(connection.number) \(connection.peer ?? "")"] ?? 0
        return sum + Double(count >= old ? count - old : count)
      }
      return InspectionText.bytes(UInt64(min(moved / elapsed, 1e18)))
    }
    let busy = max(0, InspectionText.busy(loop) - (before.map(InspectionText.busy) ?? 0))
    return [
      "\(loop.number)", loop.backend, rate(Double(loop.turns.count), before.map { Double($0.turns.count) }),
      elapsed > 0 ? "\(InspectionText.number(min(1, busy / elapsed) * 100, 1)) %" : "",
      InspectionText.duration(InspectionText.longest(loop)), "\(loop.ready)", "\(loop.tasks.count)",
      loop.connections.map { "\($0.count)" } ?? "?", bytes(\.received), bytes(\.sent),
      loop.timers.map { "\($0.count)" } ?? "?", loop.pool.map { "\($0.threads)/\($0.maximum)" } ?? "",
      loop.now.map { InspectionText.name($0) } ?? "",
    ]
  }
}
