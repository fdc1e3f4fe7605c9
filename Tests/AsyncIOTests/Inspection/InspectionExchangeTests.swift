import AsyncIOPrograms
import Testing

@testable import AsyncIO

/// The parts of an inspection that need no process: the exchange, the writing of a report, and its text.
struct InspectionExchangeTests {
  @Test("A request may come in any pieces, and is answered once")
  func pieces() {
    for size in 1...12 {
      var exchange = InspectionExchange()
      let request = Array("snapshot 25\n".utf8)
      var steps: [InspectionExchange.Step] = []
      for start in stride(from: 0, to: request.count, by: size) {
        steps.append(exchange.received(request[start..<min(start + size, request.count)]))
      }
      #expect(steps.dropLast().allSatisfy { $0 == .receive } && steps.last == .look(limit: 25))
      #expect(exchange.answer("abc") == .send)
      #expect(exchange.sent(2) == .send)
      #expect(exchange.withUnsent { Array($0) } == Array("c".utf8))
      #expect(exchange.sent(1) == .end)
    }
  }

  @Test("What is not a request is refused, and the end of the stream ends it")
  func refused() {
    for text in [
      "\n", "snap\n", "snapshot -1\n", "snapshot 10001\n", "snapshot 1 1\n", String(repeating: "a", count: 64),
    ] {
      var exchange = InspectionExchange()
      #expect(exchange.received(Array(text.utf8)) == .send, "\(text)")
      #expect(exchange.withUnsent { String(decoding: $0, as: UTF8.self) }.hasPrefix("{\"error\": "))
    }
    var exchange = InspectionExchange()
    #expect(exchange.received([]) == .end)
    #expect(exchange.received(Array("snapshot\n".utf8)) == .end)
  }

  /// A report with something in each field, and names that JSON and terminals take badly.
  static var full: InspectionReport {
    let name = "a \"name\" \\ with\u{1b}[31m\n\u{0} and 🦜"
    let wait = InspectionReport.Wait(what: name, lasting: 1.5, place: "A.swift:1")
    let loop = InspectionReport.Loop(
      number: 1, name: name, backend: "epoll", state: "running", isDebug: true, answers: true,
      thread: .init(number: 7, state: "sleeping", cpu: 0.25, call: "read"),
      turns: .init(count: .max, busy: 1, watched: 2, longest: 0.125, durations: [0, 1, .max]), ready: 3,
      now: .init(what: "callback", task: nil, place: name, about: name, lasting: 0.5),
      slow: [.init(what: name, task: name, place: nil, took: 1, ago: 2)],
      tasks: .init(
        count: 3,
        shown: [
          .init(id: 1, name: name, state: "waiting", age: 1, place: name, waits: wait, awaitedBy: [2]),
          .init(id: 2, name: "b", state: "waiting", age: nil, place: nil, waits: nil, awaitedBy: [1]),
        ]),
      connections: .init(
        count: 1,
        shown: [
          .init(
            number: 3, kind: "stream", local: "a", peer: name, received: .max, sent: 0, roundTrip: 1e-5,
            isReading: true, isWriting: false, tls: "TLS")
        ]),
      timers: .init(count: 1, shown: [.init(remaining: 1e9, what: name, place: nil)]),
      pool: .init(threads: 1, maximum: 2, idle: 0, queued: 4),
      children: .init(count: 1, shown: [.init(pid: 9, age: 1)]),
      locks: .init(count: 1, shown: [.init(kind: "a lock", place: name, owner: nil, waiters: [name])]))
    var idle = loop
    (idle.thread, idle.connections, idle.timers, idle.pool, idle.now, idle.answers) = (nil, nil, nil, nil, nil, false)
    return InspectionReport(process: .init(pid: 1, program: name, age: 3), clock: 1.0625, loops: [loop, idle])
  }

  @Test("What is written is read as the same report")
  func roundTrip() throws {
    #expect(try InspectedProcess.read(Self.full.text, "1") == Self.full)
    var endless = Self.full
    endless.loops[0].turns.busy = .infinity
    endless.loops[0].tasks.shown[0].age = .nan
    // A number that JSON has not makes no text that is not JSON.
    #expect(throws: InspectionError.unreadable("1")) { try InspectedProcess.read(endless.text, "1") }
  }

  @Test("No text for a terminal has a control character, and circles of tasks are shown once")
  func text() {
    var report = Self.full
    let evil = "\u{1b}[2J\u{7}\u{9b}"
    for index in report.loops.indices {
      (report.loops[index].state, report.loops[index].backend) = (evil, evil)
      report.loops[index].thread?.state = evil
      report.loops[index].thread?.call = evil
      report.loops[index].tasks.shown[0].state = evil
      report.loops[index].connections?.shown[0].kind = evil
    }
    report.loops[1].now = .init(what: evil, task: evil, place: evil, about: evil, lasting: 1)
    var top = InspectionTop()
    let texts =
      [InspectionText.tasks(report), InspectionText.tree(report), InspectionText.all(report)]
      + (0..<2).map { _ in top.screen(report, rows: 40).joined(separator: "\n") }
      + [InspectionError.says("7", evil).description]
    for text in texts {
      #expect(text.unicodeScalars.allSatisfy { $0 == "\n" || $0.properties.generalCategory != .control })
    }
    #expect(texts[1].contains("in a circle, each waits for the next:"))
  }

  @Test("A screen has no more lines than the terminal, however many tasks there are", arguments: [4, 24, 100])
  func rows(count: Int) {
    var report = Self.full
    report.loops[0].tasks.shown = Array(repeating: report.loops[0].tasks.shown[0], count: 1000)
    var top = InspectionTop()
    #expect(top.screen(report, rows: count).count <= count)
  }
}
