internal import AsyncIO
internal import CAsyncIO

extension ConformanceSuite {
  /// Group J. Signals are the process's, so these run one at a time.
  static let signalChecks: [ConformanceCheck] = [
    ConformanceCheck(
      123, "A handler runs as a callback of the loop, even while the loop waits", capabilities: .threads,
      surroundings: [.serial, .signals]
    ) { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.addSignalHandler(SIGUSR1) {
        trail.mark(try getRunningLoop() === loop)
        loop.stop()
      }
      let running = Gate()
      try loop.callSoon { running.open() }
      let sender = CheckThread {
        running.wait()
        Process.block(milliseconds: 2)
        Process.send(SIGUSR1)
      }
      try loop.runForever()
      sender.join()
      try subject.expect("on the loop", trail, "true")
    },
    ConformanceCheck(
      124, "A handler is replaced, and removed once; then the signal has its default action", capabilities: .threads,
      surroundings: [.serial, .signals]
    ) { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.addSignalHandler(SIGUSR1) { trail.mark("first") }
      try loop.addSignalHandler(SIGUSR1) {
        trail.mark("second")
        loop.stop()
      }
      try subject.expect("action", Process.action(of: SIGUSR1), "handler")
      try loop.callSoon { Process.send(SIGUSR1) }
      try loop.runForever()
      try subject.expect("called", trail, "second")
      try subject.expect("removed", loop.removeSignalHandler(SIGUSR1))
      try subject.expect("removed again", loop.removeSignalHandler(SIGUSR1), false)
      try subject.expect("action afterwards", Process.action(of: SIGUSR1), "default")
    },
    ConformanceCheck(
      124, "What the process did on the signal before comes back", facet: "before", surroundings: [.serial, .signals],
      deviation: "CPython restores the default action, whatever there was before."
    ) { subject in
      let loop = try subject.makeLoop()
      let before = Process.setAction(of: SIGUSR2, .ignored)
      subject.atEnd { Process.setAction(of: SIGUSR2, before ?? .default) }
      try loop.addSignalHandler(SIGUSR2) {}
      loop.removeSignalHandler(SIGUSR2)
      try subject.expect("action afterwards", Process.action(of: SIGUSR2), "ignored")
    },
    ConformanceCheck(
      125, "Numbers that are not signals, and signals that cannot be caught, are refused",
      surroundings: .serial
    ) { subject in
      let loop = try subject.makeLoop()
      try subject.expectRefusal("SIGKILL", .invalidArgument) { try loop.addSignalHandler(SIGKILL) {} }
      try subject.expectRefusal("SIGSTOP", .invalidArgument) { try loop.addSignalHandler(SIGSTOP) {} }
      try subject.expectRefusal("0", .invalidArgument) { try loop.addSignalHandler(0) {} }
      try subject.expectRefusal("1000", .invalidArgument) { try loop.addSignalHandler(1000) {} }
    },
    ConformanceCheck(
      125, "A loop that runs in another thread than the main one also has handlers", facet: "thread",
      surroundings: [.serial, .signals], deviation: "CPython refuses signal handlers outside of the main thread."
    ) { subject in
      let loop = try subject.makeLoop()
      let called = Box(false)
      CheckThread {
        _ = try? loop.addSignalHandler(SIGUSR1) {
          called.value = true
          loop.stop()
        }
        _ = try? loop.callSoon { Process.send(SIGUSR1) }
        try? loop.runForever()
      }.join()
      try subject.expect("called", called.value)
    },
    ConformanceCheck(
      126, "Of two loops with handlers for one signal each gets it", surroundings: [.serial, .signals],
      deviation: "CPython lets one loop take the signals from the others."
    ) { subject in
      let loops = [try subject.makeLoop(), try subject.makeLoop()]
      let trail = Trail()
      let ready = loops.map { _ in Gate() }
      for (loop, gate) in zip(loops, ready) {
        try loop.addSignalHandler(SIGUSR1) {
          trail.mark(try getRunningLoop() === loop)
          loop.stop()
        }
        try loop.callSoon { gate.open() }
      }
      let runs = loops.map { loop in CheckThread { try? loop.runForever() } }
      for gate in ready { gate.wait() }
      Process.send(SIGUSR1)
      for run in runs { run.join() }
      try subject.expect("each on its own loop", trail, "true true")
    },
    ConformanceCheck(
      127, "In a storm of signals each distinct one is delivered", capabilities: .threads,
      surroundings: [.serial, .signals],
      deviation: "CPython loses signals when its wake-up pipe is full."
    ) { subject in
      let loop = try subject.makeLoop()
      let called = Box<Set<Int32>>([])
      for number in [SIGUSR1, SIGUSR2] {
        try loop.addSignalHandler(number) {
          if called.update({
            $0.insert(number); return $0.count
          }) == 2 {
            loop.stop()
          }
        }
      }
      // The loop is kept from taking any of them meanwhile.
      try loop.callSoon {
        for _ in 0..<100_000 { Process.send(SIGUSR1) }
        Process.send(SIGUSR2)
      }
      try loop.runForever()
      try subject.expect("distinct signals delivered", called.value.count, 2)
    },
    ConformanceCheck(128, "close removes the handlers", surroundings: [.serial, .signals]) { subject in
      let loop = try subject.makeLoop()
      try loop.addSignalHandler(SIGUSR1) {}
      try loop.close()
      try subject.expect("removed afterwards", loop.removeSignalHandler(SIGUSR1), false)
      try subject.expect("action", Process.action(of: SIGUSR1), "default")
    },
    ConformanceCheck(
      129, "Signals of a forked child do not reach the loop of the parent",
      surroundings: [.ownProcess, .signals, .forks],
      deviation: "CPython before 3.12 runs the parent's handlers for signals of the child."
    ) { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.addSignalHandler(SIGUSR1) { trail.mark("parent") }
      try loop.callSoon {
        let child = try Process.inFork {
          for _ in 0..<10 { Process.send(SIGUSR1) }
          return "sent"
        }
        trail.mark(child ?? "died")
        try loop.callLater(.milliseconds(20)) { loop.stop() }
      }
      try loop.runForever()
      try subject.expect("child and parent", trail, "sent")
    },
  ]
}
