import Testing

@testable import AsyncIO

/// A handle is used again only if nobody can tell.
@Suite struct SpareHandleTests {
  @Test("Callbacks whose handles nobody keeps share one", arguments: LoopKind.allCases)
  func reuse(kind: LoopKind) async throws {
    let seen = Recorder<ObjectIdentifier>()
    try await kind.withLoop { loop in
      try step(loop, 100, seen)
      try loop.runForever()
    }
    // The thread sanitizer does not see that a handle is nobody's; there none is used again.
    let isSanitized = SpareHandles.isUnused
    #expect(isSanitized || Set(seen.all).count <= 2, "\(Set(seen.all).count) handles for 100 callbacks")
  }

  /// One callback after the other; the identity is taken of a reference that goes at once.
  private func step(_ loop: BaseEventLoop, _ left: Int, _ seen: Recorder<ObjectIdentifier>) throws {
    guard left > 0 else { return loop.stop() }
    seen.record(ObjectIdentifier(try loop.callSoon { try step(loop, left - 1, seen) }))
  }

  @Test("A handle that somebody can reach is his for good", arguments: LoopKind.allCases, Reference.allCases)
  func reachable(kind: LoopKind, reference: Reference) async throws {
    try await kind.withLoop { loop in
      // So that there are spare ones.
      for _ in 0..<10 { try loop.callSoon {} }
      try loop.callSoon { loop.stop() }
      try loop.runForever()
      var holder = Holder()
      let ran = Recorder<Void>()
      holder.hold(try loop.callSoon { ran.record(()) }, by: reference)
      try loop.callSoon { loop.stop() }
      try loop.runForever()
      #expect(ran.all.count == 1)
      // What is scheduled from here on must not be what the reference names.
      let later = try (0..<20).map { _ in try loop.callSoon { ran.record(()) } }
      if let held = holder.handle {
        #expect(!later.contains { $0 === held })
        held.cancel()
      }
      try loop.callSoon { loop.stop() }
      try loop.runForever()
      #expect(ran.all.count == 21)
    }
  }

  enum Reference: CaseIterable, Sendable { case strong, weak, copyOfWeak }

  private struct Holder {
    private var strong: Handle?
    private weak var weak: Handle?
    private weak var another: Handle?

    mutating func hold(_ handle: Handle, by reference: Reference) {
      switch reference {
      case .strong: strong = handle
      case .weak: weak = handle
      case .copyOfWeak:
        weak = handle
        another = weak
        weak = nil
      }
    }

    var handle: Handle? { strong ?? weak ?? another }
  }

  @Test("Cancelled, or thrown out of: a handle that is used again knows nothing of it", arguments: LoopKind.allCases)
  func clean(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      loop.exceptionHandler = { _, _ in }
      let ran = Recorder<Int>()
      for round in 0..<3 {
        for number in 0..<10 {
          switch number % 3 {
          case 0: try loop.callSoon { ran.record(-1) }.cancel()
          case 1: try loop.callSoon { throw CancellationError() }
          default: try loop.callSoon { ran.record(round) }
          }
        }
        try loop.callSoon { loop.stop() }
        try loop.runForever()
      }
      #expect(ran.all == [0, 0, 0, 1, 1, 1, 2, 2, 2])
    }
  }

  @Test("What a handler of exceptions keeps is no later callback's handle", arguments: LoopKind.allCases)
  func keptByHandler(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let kept = Recorder<Handle>()
      loop.exceptionHandler = { _, context in
        if let handle = context.handle { kept.record(handle) }
      }
      let ran = Recorder<Int>()
      for number in 0..<10 {
        // The callback schedules the next one before it fails.
        try loop.callSoon {
          try loop.callSoon { ran.record(number) }
          throw CancellationError()
        }
        try loop.callSoon { for handle in kept.all { handle.cancel() } }
      }
      try loop.callSoon { try loop.callSoon { loop.stop() } }
      try loop.runForever()
      #expect(ran.all == Array(0..<10))
      #expect(kept.all.count == 10 && kept.all.allSatisfy { "\($0)".contains("finished") })
    }
  }

  @Test("What a callback captured goes with its call, and with the loop", arguments: LoopKind.allCases)
  func captures(kind: LoopKind) async throws {
    final class Captured: Sendable {}
    weak let ran: Captured?
    weak let left: Captured?
    do {
      let (first, second) = (Captured(), Captured())
      (ran, left) = (first, second)
      try await kind.withLoop { loop in
        for _ in 0..<100 { try loop.callSoon { withExtendedLifetime(first) {} } }
        try loop.callSoon { loop.stop() }
        try loop.runForever()
        try loop.callSoon { withExtendedLifetime(second) {} }
      }
    }
    // The thread lets go of its body after it has told of the end.
    for _ in 0..<10_000 where ran != nil || left != nil { try await Task.sleep(for: .milliseconds(1)) }
    #expect(ran == nil && left == nil)
  }
}
