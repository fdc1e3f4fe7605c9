import Testing

@testable import AsyncIO

/// Elements that go to every subscriber.
@Suite(.timeLimit(.minutes(5)))
struct BroadcastTests {
  @Test("Every subscriber gets what is sent after it has subscribed, to the end", arguments: LoopKind.allCases)
  func everybody(kind: LoopKind) async throws {
    try await kind.run { loop in
      let news = try Broadcast<Int>(capacity: 100)
      try await news.send(0)
      let first = news.subscribe()
      try await news.send(1)
      let second = news.subscribe()
      #expect(news.subscriberCount == 2)
      let reading = try [first, second].map { subscription in
        try loop.createTask { try await subscription.reduce(into: []) { $0.append($1) } }
      }
      for number in 2..<5 {
        try news.sendNoWait(number)
        try await sleep(for: .zero)
      }
      news.shutDown()
      #expect(try await gather(reading) == [[1, 2, 3, 4], [2, 3, 4]])
      await #expect(throws: QueueShutDownError()) { try await news.send(5) }
      #expect(throws: QueueShutDownError()) { try news.sendNoWait(5) }
      #expect(try await news.subscribe().next() == nil)
      for _ in 0..<2 { #expect(try await first.next() == nil, "and stays at its end") }
    }
  }

  @Test("A subscriber that is too slow is told how much it has missed, and goes on", arguments: LoopKind.allCases)
  func lag(kind: LoopKind) async throws {
    try await kind.run { _ in
      let news = try Broadcast<Int>(capacity: 3)
      let (slow, quick) = (news.subscribe(), news.subscribe())
      for number in 0..<8 {
        try await news.send(number)
        #expect(try await quick.next() == number)
      }
      let error = try await failure(BroadcastLagError.self) { _ = try await slow.next() }
      #expect(error.count == 5)
      for number in 5..<8 { #expect(try await slow.next() == number) }
      news.shutDown()
      #expect(try await slow.next() == nil)
    }
  }

  @Test("With back-pressure a sender waits for the slowest, in order", arguments: LoopKind.allCases)
  func backPressure(kind: LoopKind) async throws {
    try await kind.run { loop in
      let news = try Broadcast<Int>(capacity: 2, overflow: .wait)
      let (slow, quick) = (news.subscribe(), news.subscribe())
      let sending = try (0..<6).map { number in try loop.createTask { try await news.send(number) } }
      for _ in 0..<3 { try await sleep(for: .zero) }
      for number in 0..<2 { #expect(try await quick.next() == number) }
      #expect(sending.map(\.isDone) == [true, true, false, false, false, false])
      #expect(throws: QueueFullError()) { try news.sendNoWait(9) }
      sending[3].cancel()
      await #expect(throws: CancellationError.self) { try await sending[3].get() }
      #expect(try await slow.next() == 0)
      try await sending[2].get()
      // A subscriber that goes does not hold up the others.
      slow.cancel()
      for number in [2, 4, 5] { #expect(try await quick.next() == number) }
      _ = try await gather([sending[4], sending[5]])
      let last = try loop.createTask {
        for number in 6..<9 { try await news.send(number) }
      }
      for _ in 0..<3 { try await sleep(for: .zero) }
      news.shutDown()
      await #expect(throws: QueueShutDownError()) { try await last.get() }
      #expect(try await quick.reduce(into: []) { $0.append($1) } == [6, 7])
    }
  }

  @Test("A wait that is cancelled takes nothing; cancelling a subscription ends it", arguments: LoopKind.allCases)
  func cancelled(kind: LoopKind) async throws {
    try await kind.run { loop in
      let news = try Broadcast<Int>(capacity: 2)
      let subscription = news.subscribe()
      let waiting = try (0..<3).map { _ in try loop.createTask { try await subscription.next() } }
      for _ in 0..<3 { try await sleep(for: .zero) }
      waiting[0].cancel()
      await #expect(throws: CancellationError.self) { try await waiting[0].get() }
      try news.sendNoWait(1)
      // Served, and cancelled before it goes on: it has its element.
      waiting[1].cancel()
      #expect(try await waiting[1].get() == 1)
      subscription.cancel()
      subscription.cancel()
      #expect(try await waiting[2].get() == nil)
      #expect(news.subscriberCount == 0)
      try news.sendNoWait(2)
      #expect(try await subscription.next() == nil)
    }
  }

  @Test("A subscription that nobody has any more holds up nothing, and nothing is kept for it")
  func dropped() async throws {
    let news = try Broadcast<Recorder<Int>>(capacity: 1, overflow: .wait)
    weak var kept: Recorder<Int>?
    do {
      let subscription = news.subscribe()
      let element = Recorder<Int>()
      kept = element
      try news.sendNoWait(element)
      #expect(throws: QueueFullError()) { try news.sendNoWait(Recorder()) }
      withExtendedLifetime(subscription) {}
    }
    #expect(kept == nil && news.subscriberCount == 0)
    for _ in 0..<3 { try news.sendNoWait(Recorder()) }
  }

  @Test("A capacity has to be one at least", arguments: [0, -1, Int.min])
  func refused(capacity: Int) {
    expectRefusal(.invalidArgument) { try Broadcast<Int>(capacity: capacity) }
  }

  @Test("Subscribers in several loops and in none get everything, in order")
  func manyLoops() async throws {
    let news = try Broadcast<Int>(capacity: 3, overflow: .wait)
    try await withThrowingTaskGroup(of: [Int].self) { group in
      for kind in LoopKind.allCases {
        for subscription in [news.subscribe(), news.subscribe()] {
          group.addTask { try await kind.run { _ in try await subscription.reduce(into: []) { $0.append($1) } } }
        }
      }
      let subscription = news.subscribe()
      group.addTask { try await subscription.reduce(into: []) { $0.append($1) } }
      for number in 0..<500 { try await news.send(number) }
      news.shutDown()
      for try await got in group { #expect(got == Array(0..<500)) }
    }
  }
}
