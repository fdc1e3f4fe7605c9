internal import AsyncIO

extension ConformanceSuite {
  /// Group B, runs, stops and their refusals.
  static let lifeCycleChecks: [ConformanceCheck] = [
    ConformanceCheck(19, "stop ends the run after the turn; what it queued runs next time") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.callSoon {
        trail.mark("a")
        loop.stop()
        try loop.callSoon {
          trail.mark("c")
          loop.stop()
        }
      }
      try loop.callSoon { trail.mark("b") }
      try loop.runForever()
      try subject.expect("first run", trail, "a b")
      try loop.runForever()
      try subject.expect("both runs", trail, "a b c")
    },
    ConformanceCheck(
      20, "stop before a run: one turn that does not wait, and takes what is ready", capabilities: .descriptorWatches
    ) { subject in
      let loop = try subject.makeLoop()
      let pair = try subject.socketPair()
      let trail = Trail()
      try loop.addReader(pair.near) { trail.mark("reader") }
      pair.write(to: pair.far)
      try loop.callSoon { trail.mark("soon") }
      loop.stop()
      try loop.runForever()
      try subject.expect("one turn", trail, "soon reader")
      try loop.removeReader(pair.near)
      loop.stop()
      // Nothing is ready: if it waited, it would not come back.
      try loop.runForever()
      try subject.expect("both", trail, "soon reader")
    },
    ConformanceCheck(21, "A loop that is stopped before its task is done says so, and can run again") { subject in
      let loop = try subject.makeLoop()
      let gate: Future<Int> = loop.createFuture()
      let task = try loop.createTask {
        loop.stop()
        return try await gate.get()
      }
      try subject.expectRefusal("first run", .stoppedBeforeCompletion) { try loop.runUntilComplete(task) }
      try loop.callSoon { try gate.setResult(3) }
      try subject.expect("second run", try loop.runUntilComplete(task), 3)
    },
    ConformanceCheck(22, "A future that was given up does not stop a later run") { subject in
      let loop = try subject.makeLoop()
      let (orphan, other): (Future<Int>, Future<Int>) = (loop.createFuture(), loop.createFuture())
      try loop.callSoon { loop.stop() }
      try subject.expectRefusal("first run", .stoppedBeforeCompletion) { try loop.runUntilComplete(orphan) }
      try loop.callSoon {
        try orphan.setResult(1)
        try loop.callSoon { try loop.callSoon { try other.setResult(2) } }
      }
      try subject.expect("second run", try loop.runUntilComplete(other), 2)
    },
    ConformanceCheck(22, "Nor does one that was done in the turn that stopped", facet: "done") { subject in
      let loop = try subject.makeLoop()
      let (first, second): (Future<Int>, Future<Int>) = (loop.createFuture(), loop.createFuture())
      try loop.callSoon {
        try first.setResult(1)
        loop.stop()
      }
      try subject.expect("first run", try loop.runUntilComplete(first), 1)
      try loop.callSoon { try loop.callSoon { try loop.callSoon { try second.setResult(2) } } }
      try subject.expect("second run", try loop.runUntilComplete(second), 2)
    },
    ConformanceCheck(
      23, "Nested runs are refused and leave the outer one as it was",
      deviation: "CPython 3.13.0 forgets the outer run when it refuses a nested one; 3.14 does not."
    ) { subject in
      let (loop, other) = (try subject.makeLoop(), try subject.makeLoop())
      let trail = Trail()
      let outcome = Box<Result<Void, any Error>>(.success(()))
      try loop.callSoon {
        outcome.value = Result {
          // Twice: a refusal must not let the second one through.
          for round in ["first", "second"] {
            try subject.expectRefusal("\(round) same loop", .alreadyRunning) { try loop.runForever() }
            try subject.expectRefusal("\(round) other loop", .anotherLoopRunning) { try other.runForever() }
            try subject.expectRefusal("\(round) until complete", .anotherLoopRunning) {
              try other.runUntilComplete(other.createFuture(of: Int.self))
            }
            try subject.expectRefusal("\(round) runner", .anotherLoopRunning) { try AsyncIO.run { trail.mark("body") } }
            try subject.expectRefusal("\(round) body", .alreadyRunning) { try loop.run { trail.mark("body") } }
          }
          try subject.expect("still running", try getRunningLoop() === loop && loop.isRunning && !other.isRunning)
        }
        try loop.callSoon {
          trail.mark("outer")
          loop.stop()
        }
      }
      try loop.runForever()
      try outcome.value.get()
      // A refused run must leave nothing behind that a later run would find.
      try other.run(turns: 3)
      try subject.expect("what ran", trail, "outer")
      try subject.expectRefusal("running afterwards", .noRunningLoop) { try getRunningLoop() }
    },
    ConformanceCheck(
      24, "A loop that runs in one thread is refused to another",
      deviation: "CPython 3.13.0 forgets the run of the first thread when it refuses the second; 3.14 does not."
    ) { subject in
      let loop = try subject.makeLoop()
      let runs = Gate()
      try loop.callSoon { runs.open() }
      let runner = CheckThread { try? loop.runForever() }
      runs.wait()
      try subject.expectRefusal("run in another thread", .alreadyRunning) { try loop.runForever() }
      try subject.expectRefusal("body in another thread", .alreadyRunning) { try loop.run {} }
      try subject.expect("still running", loop.isRunning)
      try loop.callSoonThreadsafe { loop.stop() }
      runner.join()
      try subject.expect("running afterwards", loop.isRunning, false)
    },
    ConformanceCheck(25, "close is refused while the loop runs, and may be repeated") { subject in
      let loop = try subject.makeLoop()
      let outcome = Box<Result<Void, any Error>>(.success(()))
      try loop.callSoon {
        outcome.value = Result { try subject.expectRefusal("while running", .alreadyRunning) { try loop.close() } }
        loop.stop()
      }
      try loop.runForever()
      try outcome.value.get()
      try subject.expect("closed by that", loop.isClosed, false)
      try loop.close()
      try loop.close()
      try subject.expect("closed", loop.isClosed)
    },
    ConformanceCheck(28, "A future of another loop is refused") { subject in
      let (loop, other) = (try subject.makeLoop(), try subject.makeLoop())
      let future: Future<Int> = other.createFuture()
      try future.setResult(1)
      try subject.expectRefusal("run", .foreignLoop) { try loop.runUntilComplete(future) }
    },
    ConformanceCheck(29, "An interrupt leaves the run; the loop is not closed, and the rest runs next time") {
      subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.callSoon { trail.mark("a") }
      try loop.callSoon { throw KeyboardInterrupt() }
      try loop.callSoon {
        trail.mark("b")
        loop.stop()
      }
      do {
        try loop.runForever()
        try subject.fail("the run ended as if nothing had happened")
      } catch {
        try subject.expect("error", "\(type(of: error))", "KeyboardInterrupt")
      }
      try subject.expect("first run", trail, "a")
      try subject.expect("running or closed", loop.isRunning || loop.isClosed, false)
      try loop.runForever()
      try subject.expect("both runs", trail, "a b")
    },
  ]
}
