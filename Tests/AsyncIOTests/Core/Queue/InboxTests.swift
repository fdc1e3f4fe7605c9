import Synchronization
import SystemPackage
import Testing

@testable import AsyncIO

/// Posts from other threads: none lost, no wake-up lost, and one wake-up for a burst.
@Suite struct InboxTests {
  private func word(_ number: Int) -> LoopWord { LoopWord(bits: UInt(number) << 4) }

  @Test("Wake-ups go to a sleeper only, and once")
  func protocolOfSleep() {
    let inbox = Inbox()
    var wakes = 0
    check(inbox.post(word(1)) { wakes += 1 })
    #expect(wakes == 0, "nobody slept")
    check(!inbox.announceSleep(), "something is here")
    var words = Inbox.Words()
    inbox.take(spare: &words)
    #expect(words.all == [word(1).bits])
    check(inbox.announceSleep())
    for i in 0..<12 { check(inbox.post(word(i)) { wakes += 1 }) }
    #expect(wakes == 1)
    inbox.endSleep()
    check(inbox.post(word(12)) { wakes += 1 })
    #expect(wakes == 1)
    words.removeAll()
    inbox.take(spare: &words)
    #expect(words.all == (0...12).map { word($0).bits })
    check(!inbox.hasPosts)
  }

  @Test("A closed inbox takes nothing, wakes nobody, and gives back what it had")
  func closed() {
    let inbox = Inbox()
    check(inbox.announceSleep())
    check(inbox.post(word(1)) {})
    let left = inbox.close()
    #expect(left.all == [word(1).bits])
    let nothing = inbox.close()
    #expect(nothing.count == 0)
    _ = inbox.announceSleep()
    check(!inbox.post(word(2)) { Issue.record("a wake-up after the close") })
  }

  @Test("hazard E1: two producers and a consumer that sleeps without limit lose nothing")
  func stress() async throws {
    let count = 1_000_000
    let inbox = SharedInbox()
    let producers = (0..<2).map { producer in
      TestThread {
        var random = SplitMix(seed: UInt64(producer))
        for i in 0..<count {
          // Let the consumer fall asleep now and then: by chance, at all sorts of moments, and for certain.
          if random.next() % 4096 == 0 {
            for _ in 0..<Int(random.next() % 2000) { inbox.spin.add(1, ordering: .relaxed) }
          }
          if i % 10_000 == 9_999 { inbox.waitForSleeper() }
          _ = inbox.inbox.post(LoopWord(bits: UInt(i * 2 + producer) << 4)) { inbox.wake() }
        }
      }
    }
    let next = try await inThread { () -> [UInt] in
      var next: [UInt] = [0, 1]
      var words = Inbox.Words()
      var left = 2 * count
      while left > 0 {
        if inbox.inbox.announceSleep() { inbox.sleep() }
        inbox.inbox.endSleep()
        inbox.inbox.take(spare: &words)
        for index in 0..<words.count {
          let number = words[index] >> 4
          precondition(number == next[Int(number & 1)], "a post was lost or overtaken")
          next[Int(number & 1)] += 2
        }
        left -= words.count
        words.removeAll()
      }
      return next
    }
    for producer in producers { producer.join() }
    #expect(next == [UInt(2 * count), UInt(2 * count + 1)])
    #expect(inbox.sleeps.load(ordering: .relaxed) > 0, "the consumer never slept: nothing was tested")
  }

  @Test("hazard E4: a burst from another thread wakes the loop once", arguments: LoopKind.selectors)
  func coalescing(kind: LoopKind) async throws {
    try await inThread {
      let selector = CountingSelector(try kind.makeSelector())
      let loop = SelectorEventLoop(selector: selector)
      defer { try? loop.close() }
      let ran = Recorder<Int>()
      for burst in 1...20 {
        let before = selector.wakes.load(ordering: .sequentiallyConsistent)
        try loop.callSoon {
          // While the loop is kept busy here, a thread posts; nobody sleeps, so nobody is woken.
          TestThread { for i in 0..<100 { _ = try? loop.callSoonThreadsafe { ran.record(i) } } }.join()
          try loop.callSoon { loop.stop() }
        }
        try loop.runForever()
        #expect(ran.all.count == burst * 100)
        #expect(selector.wakes.load(ordering: .sequentiallyConsistent) == before)
      }
      // A sleeping loop is woken by the first post of a burst.
      let sleeping = selector.wakes.load(ordering: .sequentiallyConsistent)
      let poster = TestThread {
        selector.waitUntilAsleep()
        for i in 0..<100 { _ = try? loop.callSoonThreadsafe { ran.record(i) } }
        _ = try? loop.callSoonThreadsafe { loop.stop() }
      }
      let turns = loop.turnCount
      try loop.runForever()
      poster.join()
      let wakes = selector.wakes.load(ordering: .sequentiallyConsistent) - sleeping
      #expect(wakes >= 1 && wakes <= Int(loop.turnCount - turns))
      #expect(ran.all.count == 2100)
    }
  }
}

extension Inbox.Words {
  fileprivate var all: [UInt] { (0..<count).map { self[$0] } }
}

/// An inbox with a sleeper that has no time limit.
private final class SharedInbox: Sendable {
  let inbox = Inbox()
  let spin = Atomic<Int>(0)
  let sleeps = Atomic<Int>(0)
  private let asleep = Atomic<Bool>(false)
  private let gate = Lock(Gate())

  func wake() { gate.withLock { $0 }.open() }

  /// For a producer that has posts left, so that the consumer has not ended.
  func waitForSleeper() { while !asleep.load(ordering: .relaxed) { yieldProcessor() } }

  func sleep() {
    sleeps.add(1, ordering: .relaxed)
    asleep.store(true, ordering: .relaxed)
    gate.withLock { $0 }.wait()
    asleep.store(false, ordering: .relaxed)
    gate.withLock { $0 = Gate() }
  }
}

/// Counts the wake-ups of the selector that it wraps.
private final class CountingSelector: IOSelector, @unchecked Sendable {
  // Right because it adds nothing but atomics to the selector.
  private let base: any IOSelector
  let wakes = Atomic<Int>(0)
  private let asleep = Atomic<Bool>(false)

  init(_ base: any IOSelector) { self.base = base }

  func waitUntilAsleep() { while !asleep.load(ordering: .sequentiallyConsistent) { yieldProcessor() } }

  var name: String { base.name }
  var supportsEdgeTriggering: Bool { base.supportsEdgeTriggering }
  var hasSubMillisecondWaits: Bool { base.hasSubMillisecondWaits }

  func register(_ fileDescriptor: Int32, interest: SelectorFlags, token: UInt64) throws(Errno) {
    try base.register(fileDescriptor, interest: interest, token: token)
  }
  func unregister(_ fileDescriptor: Int32) { base.unregister(fileDescriptor) }
  func reset() throws(Errno) { try base.reset() }
  func close() { base.close() }

  func select(timeout: Int64, into events: UnsafeMutableBufferPointer<SelectorEvent>) throws(Errno) -> Int {
    asleep.store(timeout != 0, ordering: .sequentiallyConsistent)
    defer { asleep.store(false, ordering: .sequentiallyConsistent) }
    return try base.select(timeout: timeout, into: events)
  }

  func wake() {
    wakes.add(1, ordering: .sequentiallyConsistent)
    base.wake()
  }
}
