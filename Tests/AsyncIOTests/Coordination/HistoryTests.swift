import Testing

@testable import AsyncIO

/// What three tasks that wait for a lock, a permit, an element, room or a notification get in every history of four
/// steps: somebody is served, one of them is cancelled, or the loop turns. Steps without a turn between them come
/// before anybody has gone on.
@Suite(.timeLimit(.minutes(5)))
struct HistoryTests {
  enum Step: Sendable, Hashable {
    case serve, turn
    case cancel(Int)

    static let all: [Step] = [.serve, .turn, .cancel(0), .cancel(1), .cancel(2)]
    static let histories = all.flatMap { a in
      all.flatMap { b in all.flatMap { c in all.map { d in [a, b, c, d] } } }
    }
  }

  /// How the waits end: what the promises say of a history.
  struct Outcome: Equatable {
    /// In the order in which they go on.
    var served: [Int] = []
    var cancelled: Set<Int> = []
    /// How often there was nobody to serve.
    var left = 0
    private var waiting = [0, 1, 2]
    /// The tasks that were served, and have not gone on: only for what a cancelled task passes on.
    private var onTheirWay: [Int] = []

    /// - Parameter passesOn: a task that is cancelled between its notification and its return passes that on. It has
    ///   not returned before the history is over, because the lock is held so long.
    init(_ history: [Step], passesOn: Bool) {
      for step in history {
        switch step {
        case .serve where waiting.isEmpty: left += 1
        case .serve where passesOn: onTheirWay.append(waiting.removeFirst())
        case .serve: served.append(waiting.removeFirst())
        case .cancel(let task) where waiting.contains(task):
          waiting.removeAll { $0 == task }
          cancelled.insert(task)
        case .cancel(let task) where onTheirWay.contains(task): cancelled.insert(task)
        case .cancel, .turn: break
        }
      }
      let lost = onTheirWay.count { cancelled.contains($0) }
      served += onTheirWay.filter { !cancelled.contains($0) } + waiting.prefix(lost)
    }

    init(served: [Int], cancelled: Set<Int>, left: Int) {
      self.init([], passesOn: false)
      (self.served, self.cancelled, self.left) = (served, cancelled, left)
    }

    static func == (a: Outcome, b: Outcome) -> Bool {
      a.served == b.served && a.cancelled == b.cancelled && a.left == b.left
    }
  }

  /// What tasks can wait for.
  enum Subject: Sendable, CaseIterable { case lock, semaphore, element, room, notification }

  @Test("Every history ends as promised", arguments: LoopKind.allCases, Subject.allCases)
  func histories(kind: LoopKind, subject: Subject) async throws {
    try await kind.run { loop in
      for history in Step.histories {
        let seen =
          switch subject {
          case .lock: try await Self.lock(history, loop)
          case .semaphore: try await Self.semaphore(history, loop)
          case .element: try await Self.element(history, loop)
          case .room: try await Self.room(history, loop)
          case .notification: try await Self.notification(history, loop)
          }
        var expected = Outcome(history, passesOn: subject == .notification)
        switch subject {
        // A lock is free or not, and a notification that nobody waits for is nothing.
        case .lock, .room: expected.left = min(expected.left, 1)
        case .notification: expected.left = 0
        case .semaphore, .element: break
        }
        #expect(seen == expected, "\(history)")
      }
    }
  }

  private static func lock(_ history: [Step], _ loop: BaseEventLoop) async throws -> Outcome {
    let lock = AsyncLock()
    try await lock.acquire()
    return try await play(history, loop, wait: { _ in try await lock.acquire() }, serve: { try? lock.release() }) {
      lock.isLocked ? 0 : 1
    }
  }

  private static func semaphore(_ history: [Step], _ loop: BaseEventLoop) async throws -> Outcome {
    let semaphore = try Semaphore(0)
    return try await play(
      history, loop, wait: { _ in try await semaphore.acquire() }, serve: { semaphore.release() }
    ) {
      var left = 0
      while !semaphore.isLocked {
        try await semaphore.acquire()
        left += 1
      }
      return left
    }
  }

  private static func element(_ history: [Step], _ loop: BaseEventLoop) async throws -> Outcome {
    let queue = Queue<Int>()
    let next = Recorder<Int>()
    let got = Recorder<Int>()
    let outcome = try await play(
      history, loop, wait: { _ in got.record(try await queue.get()) },
      serve: {
        next.record(next.all.count)
        try? queue.putNoWait(next.all.last!)
      }
    ) { queue.count }
    #expect(got.all + (try (0..<queue.count).map { _ in try queue.getNoWait() }) == next.all, "\(history)")
    return outcome
  }

  private static func room(_ history: [Step], _ loop: BaseEventLoop) async throws -> Outcome {
    let queue = Queue<Int>(maxSize: 1)
    try queue.putNoWait(-1)
    let taken = Recorder<Int>()
    let outcome = try await play(
      history, loop, wait: { try await queue.put($0) },
      serve: { if let element = try? queue.getNoWait() { taken.record(element) } }
    ) { queue.isEmpty ? 1 : 0 }
    let elements = taken.all + (queue.isEmpty ? [] : [try queue.getNoWait()])
    #expect(elements == [-1] + outcome.served, "\(history)")
    return outcome
  }

  private static func notification(_ history: [Step], _ loop: BaseEventLoop) async throws -> Outcome {
    let condition = Condition()
    return try await play(
      history, loop,
      wait: { _ in
        try await condition.withLock {
          defer { #expect(condition.isLocked) }
          try await condition.wait()
        }
      },
      // All wait by now, so the lock is free; it is held until the history is over.
      begin: { try await condition.acquire() }, serve: { try? condition.notify() }, end: { try condition.release() }
    ) { 0 }
  }

  /// Let three tasks wait, play the history, and tell how they ended and what is left. A task that waits at the end is
  /// cancelled then.
  private static func play(
    _ history: [Step], _ loop: BaseEventLoop, wait: @escaping @Sendable (Int) async throws -> Void,
    begin: () async throws -> Void = {}, serve: () -> Void, end: () throws -> Void = {},
    left: () async throws -> Int
  ) async throws -> Outcome {
    let served = Recorder<Int>()
    let cancelled = Recorder<Int>()
    let tasks = try (0..<3).map { number in
      try loop.createTask {
        do {
          try await wait(number)
          served.record(number)
        } catch is CancellationError {
          cancelled.record(number)
        }
      }
    }
    try await turns(2)
    try await begin()
    for step in history {
      switch step {
      case .serve: serve()
      case .cancel(let number): tasks[number].cancel()
      case .turn: try await turns(1)
      }
    }
    try end()
    try await turns(8)
    let outcome = Outcome(served: served.all, cancelled: Set(cancelled.all), left: try await left())
    for task in tasks { task.cancel() }
    for task in tasks { try await task.get() }
    return outcome
  }

  private static func turns(_ count: Int) async throws { for _ in 0..<count { try await sleep(for: .zero) } }

  // MARK: Giving and taking again

  @Test("A task that gives a permit and wants one again comes after those that wait", arguments: LoopKind.allCases)
  func behindOthers(kind: LoopKind) async throws {
    try await kind.run { loop in
      let semaphore = try Semaphore(1)
      let order = Recorder<String>()
      let tasks = try ["a", "b", "c"].map { name in
        try loop.createTask {
          for round in 1...2 {
            try await semaphore.acquire()
            order.record("\(name)\(round)")
            try await sleep(for: .zero)
            semaphore.release()
          }
        }
      }
      _ = try await gather(tasks)
      #expect(order.all == ["a1", "b1", "c1", "a2", "b2", "c2"])
    }
  }

  @Test("A task that gives permits serves those who wait before itself", arguments: LoopKind.allCases)
  func giver(kind: LoopKind) async throws {
    try await kind.run { loop in
      let semaphore = try Semaphore(0)
      let order = Recorder<Int>()
      let later = Recorder<LoopTask<Void>>()
      let first = try loop.createTask {
        try await semaphore.acquire()
        // It comes behind those who were queued before, whatever they had to wait for.
        later.record(try loop.createTask { order.record(4) })
        order.record(1)
      }
      let second = try loop.createTask {
        for _ in 0..<3 { semaphore.release() }
        #expect(!semaphore.isLocked, "one permit is the first task's, two are there")
        try await semaphore.acquire()
        order.record(2)
      }
      let third = try loop.createTask {
        try await semaphore.acquire()
        #expect(semaphore.isLocked)
        order.record(3)
      }
      _ = try await gather([first, second, third])
      _ = try await gather(later.all)
      // The first one's permit is its own, so nobody has to wait until it goes on.
      #expect(order.all == [2, 3, 1, 4])
    }
  }

  @Test("A task that is cancelled by the one before it takes no permit along", arguments: LoopKind.allCases)
  func cancelledByHolder(kind: LoopKind) async throws {
    try await kind.run { loop in
      let semaphore = try Semaphore(1)
      let second = Recorder<LoopTask<Void>>()
      let hasRun = Flag()
      let first = try loop.createTask {
        try await semaphore.withPermit {
          try await sleep(for: .zero)
          // Before the permit is given back, so it is not the second task's.
          second.all[0].cancel()
        }
      }
      second.record(try loop.createTask { try await semaphore.withPermit { hasRun.set() } })
      try await first.get()
      await #expect(throws: CancellationError.self) { try await second.all[0].get() }
      #expect(!hasRun.isSet && !semaphore.isLocked)
    }
  }

  @Test(
    "A task that waits for a condition consumes what is produced, even if the task that was woken is cancelled",
    // Before it runs, and when it waits for the lock: the two moments at which a notification can be lost.
    arguments: LoopKind.allCases, [false, true])
  func consumers(kind: LoopKind, isRelocking: Bool) async throws {
    try await kind.run { loop in
      let condition = Condition()
      let items = Recorder<Int>()
      let eaten = Counter()
      let consumers = try (0..<2).map { _ in
        try loop.createTask {
          try await condition.withLock {
            try await condition.wait { items.all.count > eaten.value }
            eaten.add(1)
            try condition.notifyAll()
          }
        }
      }
      try await sleep(for: .zero)
      try await condition.withLock {
        items.record(1)
        try condition.notify()
        if isRelocking { try await sleep(for: .zero) }
        consumers[0].cancel()
        try await condition.wait { eaten.value == 1 }
      }
      await #expect(throws: CancellationError.self) { try await consumers[0].get() }
      try await consumers[1].get()
      #expect(!condition.isLocked)
    }
  }
}
