internal import AsyncIO

extension ConformanceSuite {
  /// Group D, calls from other threads.
  static let threadChecks: [ConformanceCheck] = [
    ConformanceCheck(48, "A call from another thread wakes a loop that waits, promptly", capabilities: .threads) {
      subject in
      let loop = try subject.makeLoop()
      let best = Box(Duration.seconds(60))
      let caller = CheckThread {
        for _ in 0..<50 {
          let done = Gate()
          // Time for the loop to go to sleep.
          Process.block(milliseconds: 1)
          let start = ContinuousClock.now
          _ = try? loop.callSoonThreadsafe {
            let took = ContinuousClock.now - start
            best.update { $0 = min($0, took) }
            done.open()
          }
          done.wait()
        }
        _ = try? loop.callSoonThreadsafe { loop.stop() }
      }
      try loop.runForever()
      caller.join()
      // The best of many: the machine may be busy.
      try subject.expect("within 5 ms", best.value < .milliseconds(5))
    },
    ConformanceCheck(
      49, "4 threads make 100,000 calls each: all run once, in each thread's order", capabilities: .threads
    ) { subject in
      let loop = try subject.makeLoop()
      let count = 100_000
      let tally = Tally(threads: 4)
      let threads = (0..<4).map { thread in
        CheckThread {
          for number in 0..<count {
            _ = try? loop.callSoonThreadsafe {
              tally.note(thread, number)
              if tally.total == 4 * count { loop.stop() }
            }
          }
        }
      }
      try loop.runForever()
      for thread in threads { thread.join() }
      try subject.expect("calls", tally.next, Array(repeating: count, count: 4))
      try subject.expect("out of order", tally.disorder, 0)
    },
    ConformanceCheck(50, "A call that its producer cancels before it starts does not run", capabilities: .threads) {
      subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      try loop.callSoon {
        // The loop's thread waits here, so nothing can start before the cancel.
        CheckThread {
          let handle = try? loop.callSoonThreadsafe { trail.mark("cancelled") }
          handle?.cancel()
          _ = try? loop.callSoonThreadsafe {
            trail.mark("kept")
            loop.stop()
          }
        }.join()
      }
      try loop.runForever()
      try subject.expect("ran", trail, "kept")
    },
    ConformanceCheck(
      51, "A cancel from another thread returns after the running callback has ended",
      deviation: "CPython waits so from 3.14 on; before, the cancel returns at once."
    ) { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      let (started, cancelling) = (Gate(), Gate())
      let handle = try loop.callSoonThreadsafe {
        started.open()
        cancelling.wait()
        Process.block(milliseconds: 10)
        trail.mark("callback-ended")
        loop.stop()
      }
      let canceller = CheckThread {
        started.wait()
        cancelling.open()
        handle.cancel()
        trail.mark("cancel-returned")
      }
      try loop.runForever()
      canceller.join()
      try subject.expect("order", trail, "callback-ended cancel-returned")
    },
    ConformanceCheck(51, "A callback may cancel its own handle", facet: "own") { subject in
      let loop = try subject.makeLoop()
      let trail = Trail()
      let own = Box<Handle?>(nil)
      try loop.callSoon {
        own.value = try loop.callSoonThreadsafe {
          own.value?.cancel()
          trail.mark("ran")
          loop.stop()
        }
      }
      try loop.runForever()
      try subject.expect("callback", trail, "ran")
    },
    ConformanceCheck(51, "A cancel that waits for a running callback sleeps", facet: "sleeps") { subject in
      let loop = try subject.makeLoop()
      let (started, cancelling) = (Gate(), Gate())
      let handle = try loop.callSoonThreadsafe {
        started.open()
        cancelling.wait()
        Process.block(milliseconds: 100)
        loop.stop()
      }
      let canceller = CheckThread {
        started.wait()
        let before = Process.threadTime
        cancelling.open()
        handle.cancel()
        return Process.threadTime - before
      }
      try loop.runForever()
      let used = canceller.join()
      try subject.require(used < .milliseconds(50), "used \(used) of processor time in a wait of 100 ms")
    },
    ConformanceCheck(
      51, "Callbacks of two loops that cancel each other both end", facet: "circle", capabilities: .threads
    ) { subject in
      let loops = try (0..<2).map { _ in try subject.makeLoop() }
      let (handles, running, ended) = (Box<[Handle]>([]), Box(0), Box(0))
      let gate = Gate()
      handles.value = try (0..<2).map { index in
        try loops[index].callSoonThreadsafe {
          if running.update({
            $0 += 1; return $0
          }) == 2 {
            gate.open()
          }
          gate.wait()
          handles.value[1 - index].cancel()
          ended.update { $0 += 1 }
          loops[index].stop()
        }
      }
      let other = CheckThread { Result { try loops[1].runForever() } }
      try loops[0].runForever()
      try other.join().get()
      try subject.expect("ended", ended.value, 2)
    },
    ConformanceCheck(52, "A closed loop refuses calls from other threads") { subject in
      let loop = try subject.makeLoop()
      try loop.close()
      try subject.expectRefusal("call", .closed) {
        try CheckThread { Result { try loop.callSoonThreadsafe {} } }.join().get()
      }
    },
    ConformanceCheck(52, "Calls that race with the close run or are refused", facet: "race", capabilities: .threads) {
      subject in
      for _ in 0..<20 {
        let loop = try subject.makeLoop()
        let started = Gate()
        let callers = (0..<2).map { _ in
          CheckThread { () -> String in
            started.open()
            while true {
              do {
                try loop.callSoonThreadsafe {}
                try loop.callLater(.seconds(60)) {}.cancel()
              } catch {
                return "\((error as? EventLoopError)?.code == .closed ? "closed" : "\(error)")"
              }
            }
          }
        }
        started.wait()
        try loop.callSoonThreadsafe { loop.stop() }
        try loop.runForever()
        try loop.close()
        for caller in callers {
          let answer = caller.join()
          try subject.require(answer == "closed", "a call that raced with the close got \(answer)")
        }
      }
    },
    ConformanceCheck(53, "More wake-ups than a pipe holds neither block nor get lost", capabilities: .threads) {
      subject in
      let loop = try subject.makeLoop()
      let (count, ran) = (100_000, Box(0))
      try loop.callSoon {
        // The loop does not read its wake-ups meanwhile, and 64 KiB is what a pipe holds.
        CheckThread {
          for _ in 0..<count { _ = try? loop.callSoonThreadsafe { ran.update { $0 += 1 } } }
          _ = try? loop.callSoonThreadsafe { loop.stop() }
        }.join()
      }
      try loop.runForever()
      try subject.expect("ran", ran.value, count)
    },
  ]
}

/// Counts the calls of numbered threads.
private final class Tally: @unchecked Sendable {
  // Right because it is used in the loop's thread, and after the run by the thread that waited for its end.
  private(set) var next: [Int]
  private(set) var disorder = 0
  private(set) var total = 0

  init(threads: Int) { next = Array(repeating: 0, count: threads) }

  func note(_ thread: Int, _ number: Int) {
    if next[thread] != number { disorder += 1 }
    next[thread] = number + 1
    total += 1
  }
}
