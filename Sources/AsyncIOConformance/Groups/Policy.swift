internal import AsyncIO

extension ConformanceSuite {
  /// Group A, what policies do away from the main thread. Each check has a policy of its own.
  static let policyChecks: [ConformanceCheck] = [
    ConformanceCheck(4, "In another thread than the main one a default policy never creates a loop") { subject in
      for (name, creation) in [("legacy", DefaultEventLoopPolicy.Creation.mainThread), ("strict", .never)] {
        let policy = ObservedPolicy(subject, creation: creation)
        try subject.expectRefusal("\(name) get", .noCurrentLoop) { try policy.getEventLoop() }
        try subject.expect("\(name) calls", policy.calls, "nothing")
        do { _ = try policy.getEventLoop() } catch {
          try subject.require("\(error)".contains("thread"), "the error names no thread: \(error)")
        }
      }
    },
    ConformanceCheck(5, "A loop that one thread sets is not the current one of another") { subject in
      let policy = ObservedPolicy(subject)
      let loop = try subject.makeLoop()
      policy.setEventLoop(loop)
      try subject.expect("own thread", try policy.getEventLoop() === loop)
      let seen = CheckThread { (try? policy.getEventLoop()) != nil }.join()
      try subject.expect("other thread has one", seen, false)
      try subject.expectRefusal("other thread", .noCurrentLoop) {
        try CheckThread { Result { try policy.getEventLoop() } }.join().get()
      }
    },
    ConformanceCheck(6, "Of two loops that are set the second is current; the first is neither closed nor stopped") {
      subject in
      let policy = ObservedPolicy(subject)
      let (first, second) = (try subject.makeLoop(), try subject.makeLoop())
      let trail = Trail()
      try first.callSoon {
        try first.callSoon {
          trail.mark("ran")
          first.stop()
        }
      }
      policy.setEventLoop(first)
      policy.setEventLoop(second)
      try subject.expect("second is current", try policy.getEventLoop() === second)
      try subject.expect("first is closed", first.isClosed, false)
      // If it were stopped, it would make one turn.
      try first.runForever()
      try subject.expect("first", trail, "ran")
    },
    ConformanceCheck(7, "A closed loop stays current") { subject in
      let policy = ObservedPolicy(subject)
      let loop = try subject.makeLoop()
      policy.setEventLoop(loop)
      try loop.close()
      let current = try policy.getEventLoop()
      try subject.expect("same", current === loop)
      try subject.expect("closed", current.isClosed)
    },
    ConformanceCheck(8, "New loops are distinct, not current, and do not run") { subject in
      let policy = ObservedPolicy(subject)
      let (first, second) = (try policy.newEventLoop(), try policy.newEventLoop())
      try subject.expect("distinct", first !== second)
      try subject.expect("running", first.isRunning || second.isRunning, false)
      try subject.expect("closed", first.isClosed || second.isClosed, false)
      try subject.expectRefusal("current", .noCurrentLoop) { try policy.getEventLoop() }
    },
    ConformanceCheck(12, "In a callback the running loop is the answer, and the policy is not asked") { subject in
      let loop = try subject.makeLoop()
      let policy = RefusingPolicy()
      let same = Box(false)
      try withEventLoopPolicy(policy) {
        try loop.callSoon {
          same.value = try getEventLoop() === loop
          loop.stop()
        }
        try loop.runForever()
      }
      try subject.expect("running loop", same.value)
      try subject.expect("policy", policy.calls, "nothing")
    },
    ConformanceCheck(13, "Outside of a loop the error of a custom policy is what comes out") { subject in
      try withEventLoopPolicy(RefusingPolicy()) {
        for (name, call) in [("get", getEventLoop), ("new", newEventLoop)] {
          do {
            _ = try call()
            try subject.fail("\(name): a policy that throws gave a loop")
          } catch {
            try subject.expect(name, "\(type(of: error))", "Refusal")
          }
        }
      }
    },
    ConformanceCheck(16, "The explicit policies make their own kind, whatever the environment says", facet: "explicit")
    {
      subject in
      func kind(_ policy: DefaultEventLoopPolicy) throws -> String {
        let loop = try policy.newEventLoop()
        defer { try? loop.close() }
        return loop is ProactorEventLoop ? "proactor" : loop is SelectorEventLoop ? "selector" : "another"
      }
      try subject.expect("selector policy", try kind(SelectorEventLoopPolicy()), "selector")
      let ring = ProactorDetection.current.isAvailable
      let made = try kind(ProactorEventLoopPolicy())
      try subject.require(made == (ring ? "proactor" : "selector"), "the proactor policy made a \(made) loop")
    },
  ]
}
