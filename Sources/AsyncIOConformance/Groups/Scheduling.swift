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
  ]
}
