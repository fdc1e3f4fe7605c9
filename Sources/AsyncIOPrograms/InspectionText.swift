package import AsyncIO

// Reports as text. What comes from the process is untrusted: a name may have control characters, which a terminal would
// obey. They are shown as dots.

package enum InspectionText {
  /// What `asyncio ps` prints: each loop in a line or two, then its tasks in a table.
  package static func tasks(_ report: InspectionReport) -> String {
    sections(report) { loop in
      table(
        ["ID", "TASK", "STATE", "AGE", "WAITS FOR", "MADE AT"],
        loop.tasks.shown.map { task in
          ["\(task.id)", task.name, task.state, task.age.map(duration) ?? "", wait(task.waits), task.place ?? ""]
        }) + rest(loop.tasks, "tasks")
    }
  }

  /// What `asyncio pstree` prints: which task waits for which. A task stands below each task that awaits it.
  package static func tree(_ report: InspectionReport) -> String {
    sections(report) { loop in
      let tasks = loop.tasks.shown
      let byID = Dictionary(tasks.map { ($0.id, $0) }) { first, _ in first }
      var awaited: [UInt64: [UInt64]] = [:]
      for task in tasks { for awaiter in task.awaitedBy { awaited[awaiter, default: []].append(task.id) } }
      var lines: [String] = []
      var shown: Set<UInt64> = []
      func show(from root: UInt64) {
        var left: [(id: UInt64, level: Int)] = [(root, 0)]
        while let (id, level) = left.popLast() {
          guard let task = byID[id] else { continue }
          let isRepeated = !shown.insert(id).inserted
          let indentation = String(repeating: "  ", count: min(level, 32))
          let isLeaf = awaited[id, default: []].isEmpty
          lines.append(
            "  \(indentation)\(clean(task.name)) (\(task.state))"
              + (isLeaf && task.waits != nil ? ", waits for \(wait(task.waits))" : "")
              + (task.place.map { ", made at \(clean($0))" } ?? "")
              + (isRepeated && !isLeaf ? ", shown above" : ""))
          if !isRepeated { left += awaited[id, default: []].reversed().map { ($0, level + 1) } }
        }
      }
      for task in tasks where !task.awaitedBy.contains(where: { byID[$0] != nil }) { show(from: task.id) }
      // Who is left is awaited by somebody who is left as well.
      for task in tasks where !shown.contains(task.id) {
        lines.append("  in a circle, each waits for the next:")
        show(from: task.id)
      }
      return lines + rest(loop.tasks, "tasks")
    }
  }

  /// What `asyncio inspect` prints: everything.
  package static func all(_ report: InspectionReport) -> String {
    tasks(report) + "\n"
      + sections(report) { loop in
        var lines: [String] = []
        func add(_ heading: String, _ table: [String]) {
          if !table.isEmpty { lines += ["", "  \(heading)"] + table }
        }
        add(
          "connections",
          loop.connections.map { connections in
            table(
              ["NUMBER", "KIND", "LOCAL", "PEER", "RECEIVED", "SENT", "TLS"],
              connections.shown.map { connection in
                [
                  "\(connection.number)", connection.kind, connection.local ?? "", connection.peer ?? "",
                  connection.received.map(bytes) ?? "", connection.sent.map(bytes) ?? "", connection.tls ?? "",
                ]
              }) + rest(connections, "connections")
          } ?? [])
        add(
          "timers",
          loop.timers.map { timers in
            table(["IN", "WHAT", "MADE AT"], timers.shown.map { [duration($0.remaining), $0.what, $0.place ?? ""] })
              + rest(timers, "timers")
          } ?? [])
        add(
          "what tasks wait for",
          table(
            ["WHAT", "MADE AT", "HELD BY", "WAITERS"],
            loop.locks.shown.map { lock in
              [lock.kind, lock.place ?? "", lock.owner ?? "", lock.waiters.joined(separator: ", ")]
            }))
        add(
          "child processes",
          table(["PID", "AGE"], loop.children.shown.map { ["\($0.pid)", $0.age.map(duration) ?? ""] }))
        add(
          "slow callbacks and jobs, the newest first",
          table(["TOOK", "AGO", "WHAT"], loop.slow.map { [duration($0.took), duration($0.ago), $0.what] }))
        return lines
      }
  }

  // MARK: Parts

  private static func sections(_ report: InspectionReport, _ body: (InspectionReport.Loop) -> [String]) -> String {
    let process = "\(clean(report.process.program)), process \(report.process.pid)"
    guard !report.loops.isEmpty else { return "\(process): no event loop" }
    // Every line once more: what one of its parts forgets is found here.
    let lines = [process] + report.loops.flatMap { head($0, report.process.pid) + body($0) }
    return lines.map(clean).joined(separator: "\n")
  }

  /// A loop, and what holds it up if it hangs.
  static func head(_ loop: InspectionReport.Loop, _ process: Int) -> [String] {
    var line = "loop \(loop.number): \(clean(loop.name))"
    if !loop.backend.isEmpty { line += " over \(clean(loop.backend))" }
    line += ", \(loop.state)"
    if loop.isDebug { line += ", debug mode" }
    line += "; \(loop.turns.count) turns"
    if loop.turns.watched > 0 {
      let share = min(1, busy(loop) / loop.turns.watched) * 100
      line += ", \(number(share, 1)) % busy, longest \(duration(longest(loop)))"
    }
    line += "; \(loop.tasks.count) tasks"
    if let connections = loop.connections { line += ", \(connections.count) connections" }
    if let timers = loop.timers { line += ", \(timers.count) timers" }
    if let pool = loop.pool {
      line += ", pool of \(pool.threads)/\(pool.maximum) threads with \(pool.queued) in the queue"
    }
    guard !loop.answers else { return [line] }
    return [
      line, "  \(hang(loop))", "  for the stacks of its threads: gdb -p \(process) -batch -ex 'thread apply all bt'",
    ]
  }

  /// Seconds in callbacks and jobs, with the one that runs: a turn that hangs counts before it has ended.
  static func busy(_ loop: InspectionReport.Loop) -> Double { loop.turns.busy + (loop.now?.lasting ?? 0) }

  static func longest(_ loop: InspectionReport.Loop) -> Double { max(loop.turns.longest, loop.now?.lasting ?? 0) }

  /// Why a loop does not answer.
  package static func hang(_ loop: InspectionReport.Loop) -> String {
    var text = "DOES NOT ANSWER"
    if let now = loop.now {
      text += ": it has been in \(clean(name(now))) for \(duration(now.lasting))"
    }
    if let thread = loop.thread {
      text += " (thread \(thread.number) is \(thread.state)\(thread.call.map { " in \($0)" } ?? ""))"
    }
    return clean(text)
  }

  /// What runs, in words.
  package static func name(_ step: InspectionReport.Step) -> String {
    let what =
      if let task = step.task { "task \(task)" } else if let about = step.about { about } else { "a \(step.what)" }
    return step.place.map { "\(what), made at \($0)" } ?? what
  }

  private static func wait(_ wait: InspectionReport.Wait?) -> String {
    guard let wait else { return "" }
    let since = wait.lasting.map { ", for \(duration($0))" } ?? ""
    return "\(wait.what)\(wait.place.map { " at \($0)" } ?? "")\(since)"
  }

  private static func rest<Element>(_ list: InspectionReport.List<Element>, _ what: String) -> [String] {
    list.count > list.shown.count ? ["  and \(list.count - list.shown.count) more \(what); see --limit"] : []
  }

  /// Columns as wide as their entries; empty without rows.
  static func table(_ heads: [String], _ rows: [[String]]) -> [String] {
    guard !rows.isEmpty else { return [] }
    let cells = [heads] + rows.map { $0.map(clean) }
    let widths = heads.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    return cells.map { row in
      var line = "  "
      for (cell, width) in zip(row, widths) { line += cell + String(repeating: " ", count: width - cell.count + 2) }
      while line.last == " " { line.removeLast() }
      return line
    }
  }

  /// Make a text fit for a terminal.
  package static func clean(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: result.append("·")
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  package static func duration(_ seconds: Double) -> String {
    switch seconds {
    case 86_400...: "\(number(seconds / 86_400, 1)) d"
    case 3_600...: "\(number(seconds / 3_600, 1)) h"
    case 60...: "\(number(seconds / 60, 1)) min"
    case 1...: "\(number(seconds, 1)) s"
    case 0.001...: "\(number(seconds * 1e3, 1)) ms"
    default: "\(number(seconds * 1e6, 0)) µs"
    }
  }

  package static func bytes(_ count: UInt64) -> String {
    var (value, unit) = (Double(count), 0)
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    return unit == 0 ? "\(count) B" : "\(number(value, 1)) \(units[unit])"
  }

  static func number(_ value: Double, _ places: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    let scale = places == 0 ? 1.0 : 10.0
    let rounded = (value * scale).rounded() / scale
    return places == 0 ? "\(Int(rounded))" : "\(rounded)"
  }
}
