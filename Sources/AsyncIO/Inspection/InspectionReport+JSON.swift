// The writing of a report, without Foundation. The names are those of the properties.

extension InspectionReport {
  /// The report as JSON, in one line.
  package var text: String {
    JSON.object([
      ("format", "\(format)"), ("process", process.json), ("clock", JSON.number(clock)),
      ("loops", JSON.array(loops.map(\.json))),
    ])
  }
}

private func integer(_ value: (some BinaryInteger)?) -> String { value.map { "\($0)" } ?? "null" }

extension InspectionReport.List {
  fileprivate func json(_ element: (Element) -> String) -> String {
    JSON.object([("count", "\(count)"), ("shown", JSON.array(shown.map(element)))])
  }
}

extension InspectionReport.Process {
  fileprivate var json: String {
    JSON.object([("pid", "\(pid)"), ("program", JSON.string(program)), ("age", JSON.number(age))])
  }
}

extension InspectionReport.Loop {
  fileprivate var json: String {
    JSON.object([
      ("number", "\(number)"), ("name", JSON.string(name)), ("backend", JSON.string(backend)),
      ("state", JSON.string(state)), ("isDebug", "\(isDebug)"), ("answers", "\(answers)"),
      ("thread", thread?.json ?? "null"), ("turns", turns.json), ("ready", "\(ready)"), ("now", now?.json ?? "null"),
      ("slow", JSON.array(slow.map(\.json))), ("tasks", tasks.json(\.json)),
      ("connections", connections?.json(\.json) ?? "null"), ("timers", timers?.json(\.json) ?? "null"),
      ("pool", pool?.json ?? "null"), ("children", children.json(\.json)), ("locks", locks.json(\.json)),
    ])
  }
}

extension InspectionReport.Thread {
  fileprivate var json: String {
    JSON.object([
      ("number", "\(number)"), ("state", JSON.string(state)), ("cpu", JSON.number(cpu)), ("call", JSON.string(call)),
    ])
  }
}

extension InspectionReport.Turns {
  fileprivate var json: String {
    JSON.object([
      ("count", "\(count)"), ("busy", JSON.number(busy)), ("watched", JSON.number(watched)),
      ("longest", JSON.number(longest)), ("durations", JSON.array(durations.map { "\($0)" })),
    ])
  }
}

extension InspectionReport.Step {
  fileprivate var json: String {
    JSON.object([
      ("what", JSON.string(what)), ("task", JSON.string(task)), ("place", JSON.string(place)),
      ("about", JSON.string(about)), ("for", JSON.number(lasting)),
    ])
  }
}

extension InspectionReport.Slow {
  fileprivate var json: String {
    JSON.object([
      ("what", JSON.string(what)), ("task", JSON.string(task)), ("place", JSON.string(place)),
      ("took", JSON.number(took)), ("ago", JSON.number(ago)),
    ])
  }
}

extension InspectionReport.TaskEntry {
  fileprivate var json: String {
    JSON.object([
      ("id", "\(id)"), ("name", JSON.string(name)), ("state", JSON.string(state)), ("age", JSON.number(age)),
      ("place", JSON.string(place)), ("waits", waits?.json ?? "null"),
      ("awaitedBy", JSON.array(awaitedBy.map { "\($0)" })),
    ])
  }
}

extension InspectionReport.Wait {
  fileprivate var json: String {
    JSON.object([("what", JSON.string(what)), ("for", JSON.number(lasting)), ("place", JSON.string(place))])
  }
}

extension InspectionReport.Connection {
  fileprivate var json: String {
    JSON.object([
      ("number", "\(number)"), ("kind", JSON.string(kind)), ("local", JSON.string(local)), ("peer", JSON.string(peer)),
      ("received", integer(received)), ("sent", integer(sent)), ("roundTrip", JSON.number(roundTrip)),
      ("isReading", "\(isReading)"), ("isWriting", "\(isWriting)"), ("tls", JSON.string(tls)),
    ])
  }
}

extension InspectionReport.Timer {
  fileprivate var json: String {
    JSON.object([("in", JSON.number(remaining)), ("what", JSON.string(what)), ("place", JSON.string(place))])
  }
}

extension InspectionReport.Pool {
  fileprivate var json: String {
    JSON.object([
      ("threads", "\(threads)"), ("maximum", "\(maximum)"), ("idle", "\(idle)"), ("queued", "\(queued)"),
    ])
  }
}

extension InspectionReport.Child {
  fileprivate var json: String { JSON.object([("pid", "\(pid)"), ("age", JSON.number(age))]) }
}

extension InspectionReport.LockWait {
  fileprivate var json: String {
    JSON.object([
      ("kind", JSON.string(kind)), ("place", JSON.string(place)), ("owner", JSON.string(owner)),
      ("waiters", JSON.array(waiters.map { JSON.string($0) })),
    ])
  }
}
