internal import AsyncIO

extension ConformanceSuite {
  /// Group C, the order of callbacks.
  static let schedulingChecks: [ConformanceCheck] = [
    ConformanceCheck(32, "Callbacks run in the order of the calls") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.callSoon { trail.mark("a") }
      try loop.callSoon {
        trail.mark("b")
        loop.stop()
      }
      try loop.runForever()
      try subject.expect("order", trail, "a b")
    },
    ConformanceCheck(32, "However many there are, and wherever they are queued", facet: "many") { subject in
      let loop = try subject.makeLoop()
      let order = Box<[Int]>([])
      for number in 0..<300 { try loop.callSoon { order.update { $0.append(number) } } }
      try loop.callSoon {
        for number in 300..<1000 { try loop.callSoon { order.update { $0.append(number) } } }
        try loop.callSoon { loop.stop() }
      }
      try loop.runForever()
      try subject.expect("in order", order.value == Array(0..<1000))
    },
    ConformanceCheck(
      33, "What a callback queues runs in the next turn, after a poll", capabilities: .descriptorWatches
    ) { subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      let trail = Trail()
      try loop.addReader(pair.near) {
        trail.mark("reader")
        pair.read(from: pair.near)
      }
      try loop.callSoon {
        trail.mark("a")
        try loop.callSoon {
          trail.mark("queued")
          loop.stop()
        }
        pair.write(to: pair.far)
      }
      try loop.runForever()
      try subject.expect("order", trail, "a queued reader")
    },
    ConformanceCheck(
      33, "A callback that queues itself for ever does not keep I/O out", facet: "fairness",
      capabilities: .descriptorWatches
    ) { subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      let turns = try TurnCounter(loop)
      try loop.addReader(pair.near) { loop.stop() }
      pair.write(to: pair.far)
      try loop.runForever()
      try subject.require(turns.count <= 3, "the reader waited for \(turns.count) turns")
    },
    ConformanceCheck(36, "In one turn come callbacks, then descriptors, then timers", capabilities: .descriptorWatches)
    {
      subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      let trail = Trail()
      try loop.callSoon {
        try loop.callLater(.zero) { trail.mark("timer") }
        pair.write(to: pair.far)
        try loop.addReader(pair.near) {
          trail.mark("reader")
          pair.read(from: pair.near)
        }
        try loop.callSoon {
          trail.mark("soon")
          loop.stop()
        }
      }
      try loop.runForever()
      try subject.expect("order", trail, "soon reader timer")
    },
    ConformanceCheck(37, "The reader of a descriptor runs before its writer", capabilities: .descriptorWatches) {
      subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      let trail = Trail()
      try loop.addWriter(pair.near) {
        trail.mark("writer")
        loop.stop()
      }
      try loop.addReader(pair.near) { trail.mark("reader") }
      pair.write(to: pair.far)
      try loop.runForever()
      try subject.expect("order", trail, "reader writer")
    },
    ConformanceCheck(42, "A sleep of zero takes exactly one turn") { subject in
      let loop = try subject.makeLoop()
      let turns = try TurnCounter(loop)
      let trail = Trail()
      try loop.run {
        for duration in [Duration.zero, .seconds(-1), .zero] {
          let before = turns.count
          try await sleep(for: duration)
          trail.mark(turns.count - before)
        }
        turns.end()
      }
      try subject.expect("turns", trail, "1 1 1")
    },
    ConformanceCheck(46, "A callback sees the values of its scheduling, and what it changes does not leak") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try Setting.$value.withValue("scheduling") {
        try loop.callSoon(context: .taskLocals) {
          trail.mark(Setting.value)
          Setting.$value.withValue("inside") { trail.mark(Setting.value) }
        }
        try loop.callLater(.zero, context: .taskLocals) {
          trail.mark(Setting.value)
          loop.stop()
        }
      }
      try Setting.$value.withValue("running") {
        try loop.runForever()
        trail.mark(Setting.value)
      }
      try subject.expect("values", trail, "scheduling inside scheduling running")
    },
    ConformanceCheck(
      46, "Unless it asks for task-locals a callback carries the scoped policy only", facet: "default",
      deviation: "CPython gives every callback a copy of the caller's context."
    ) { subject in
      let loop = try subject.makeLoop()
      let policy = RefusingPolicy()
      let trail = Trail()
      try Setting.$value.withValue("scheduling") {
        try withEventLoopPolicy(policy) {
          try loop.callSoon {
            trail.mark(Setting.value)
            trail.mark(getEventLoopPolicy() === policy)
            loop.stop()
          }
        }
      }
      try Setting.$value.withValue("running") { try loop.runForever() }
      try subject.expect("value and policy", trail, "running true")
    },
  ]
}

private enum Setting {
  @TaskLocal static var value = "none"
}
