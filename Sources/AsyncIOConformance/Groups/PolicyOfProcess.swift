internal import AsyncIO
internal import CConformance

extension ConformanceSuite {
  /// Group A, the rules of the main thread and the policy of the process. Each check has a process of its own.
  static let policyProcessChecks: [ConformanceCheck] = [
    ConformanceCheck(
      1, "Strict policy, nothing set: an error that names the main thread", surroundings: .ownProcess
    ) { subject in
      let policy = ObservedPolicy(subject, creation: .never)
      setEventLoopPolicy(policy)
      try subject.expectRefusal("get", .noCurrentLoop) { try getEventLoop() }
      try subject.expect("calls", policy.calls, "nothing")
      do { _ = try getEventLoop() } catch {
        try subject.require("\(error)".contains("main thread"), "the error does not name the main thread: \(error)")
      }
      let loop = try newEventLoop()
      try subject.expectRefusal("get after new", .noCurrentLoop) { try getEventLoop() }
      setEventLoop(loop)
      try subject.expect("get after set", try getEventLoop() === loop)
    },
    ConformanceCheck(
      2, "Legacy policy: the first get of the main thread makes a loop through the policy's own new and set",
      surroundings: .ownProcess
    ) { subject in
      CapturedLog.start()
      let policy = ObservedPolicy(subject)
      setEventLoopPolicy(policy)
      let first = try getEventLoop()
      try subject.expect("same loop twice", try getEventLoop() === first)
      try subject.expect("calls", policy.calls, "new set(loop)")
      let warnings = CapturedLog.lines.count { $0.hasPrefix("warning") }
      try subject.require(warnings == 1, "\(warnings) warnings about a loop that nobody asked for")
    },
    ConformanceCheck(3, "After set(nil) nothing is created any more", surroundings: .ownProcess) { subject in
      let policy = ObservedPolicy(subject)
      setEventLoopPolicy(policy)
      setEventLoop(nil)
      try subject.expectRefusal("get", .noCurrentLoop) { try getEventLoop() }
      try subject.expect("calls", policy.calls, "set(nil)")
    },
    ConformanceCheck(
      3, "set(nil) ends creation also after a creation", facet: "later", surroundings: .ownProcess
    ) { subject in
      let policy = ObservedPolicy(subject)
      setEventLoopPolicy(policy)
      _ = try getEventLoop()
      setEventLoop(nil)
      try subject.expectRefusal("get", .noCurrentLoop) { try getEventLoop() }
      try subject.expect("calls", policy.calls, "new set(loop) set(nil)")
    },
    ConformanceCheck(9, "A replaced policy is seen by other threads", surroundings: .ownProcess) { subject in
      let mine = ObservedPolicy(subject)
      setEventLoopPolicy(mine)
      try subject.expect("here", getEventLoopPolicy() === mine)
      try subject.expect("in another thread", CheckThread { getEventLoopPolicy() === mine }.join())
    },
    ConformanceCheck(10, "The policy nil is a fresh default of the platform's kind", surroundings: .ownProcess) {
      subject in
      let first = getEventLoopPolicy()
      let loop = try subject.makeLoop()
      setEventLoop(loop)
      let mine = ObservedPolicy(subject)
      setEventLoopPolicy(mine)
      setEventLoopPolicy(nil)
      let fresh = getEventLoopPolicy()
      try subject.expect("fresh", fresh !== first && fresh !== mine)
      try subject.expect("stays", fresh === getEventLoopPolicy())
      try subject.expect("of the kind of the first", type(of: fresh) == type(of: first))
      // In the main thread it makes one: what the old default knew of this thread is gone.
      let created = try getEventLoop()
      subject.atEnd { try? created.close() }
      try subject.expect("knows the old loop", created === loop, false)
    },
    ConformanceCheck(
      11, "A policy that is replaced while a loop runs does not change the running loop", surroundings: .ownProcess
    ) { subject in
      let loop = try subject.makeLoop()
      let policy = ObservedPolicy(subject)
      let trail = Trail()
      try loop.callSoon {
        setEventLoopPolicy(policy)
        trail.mark(try getRunningLoop() === loop)
        trail.mark(try getEventLoop() === loop)
        trail.mark(getEventLoopPolicy() === policy)
        loop.stop()
      }
      try loop.runForever()
      try subject.expect("running, current, policy", trail, "true true true")
      try subject.expect("policy's calls", policy.calls, "nothing")
    },
    ConformanceCheck(
      14, "A run without a factory: the policy sees exactly new, set(loop), set(nil)", surroundings: .ownProcess
    ) { subject in
      let policy = ObservedPolicy(subject)
      setEventLoopPolicy(policy)
      try subject.expect("value", try AsyncIO.run { 7 }, 7)
      try subject.expect("calls", policy.calls, "new set(loop) set(nil)")
      try subject.expectRefusal("get afterwards", .noCurrentLoop) { try getEventLoop() }
    },
    ConformanceCheck(15, "A run with a factory does not ask the policy", surroundings: .ownProcess) { subject in
      let policy = ObservedPolicy(subject)
      setEventLoopPolicy(policy)
      let value = try AsyncIO.run(loopFactory: { try subject.makeLoop() }) { 7 }
      try subject.expect("value", value, 7)
      try subject.expect("calls", policy.calls, "nothing")
    },
    ConformanceCheck(16, "The default policy makes the platform's kind", surroundings: .ownProcess) { subject in
      _ = cconformance_unset_variable("ASYNCIO_EVENT_LOOP")
      setEventLoopPolicy(nil)
      let loop = try newEventLoop()
      try subject.expect("kind", loop is ProactorEventLoop ? "proactor" : "selector", EventLoopKinds.platformKind)
      try loop.close()
    },
    ConformanceCheck(
      18, "First use of the policy from 64 threads at once gives one policy", surroundings: .ownProcess
    ) { subject in
      let (ready, areAllReady, start) = (Box(0), Gate(), Gate())
      let threads = (0..<64).map { _ in
        CheckThread {
          ready.update { ready in
            ready += 1
            if ready == 64 { areAllReady.open() }
          }
          start.wait()
          return ObjectIdentifier(getEventLoopPolicy())
        }
      }
      areAllReady.wait()
      start.open()
      try subject.expect("policies", Set(threads.map { $0.join() }).count, 1)
    },
  ]
}
