import CAsyncIO
import Synchronization
import SystemPackage
import Testing

@_spi(Embedding) @testable import AsyncIO

/// Stands for another runtime: its callbacks have 16-byte addresses, and say what was done with them.
private final class Runtime: @unchecked Sendable {
  struct Interrupt: InterruptError {}

  /// Its callbacks find it here: the C functions have no captures. One test at a time uses it.
  nonisolated(unsafe) static var current: Runtime?

  // Right because a test's loop has one thread at a time.
  var events: [String] = []
  var scripts: [UnsafeMutableRawPointer: () -> Bool] = [:]

  /// Make a callback; `false` ends the run.
  func make(_ name: String, _ script: @escaping () -> Bool = { true }) -> UnsafeMutableRawPointer {
    let address = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 16)
    scripts[address] = { [unowned self] in
      events.append(name)
      return script()
    }
    return address
  }

  var left: Int { scripts.count }

  private func take(_ address: UnsafeMutableRawPointer) -> () -> Bool {
    defer { address.deallocate() }
    return scripts.removeValue(forKey: address)!
  }

  func embed(in loop: BaseEventLoop) throws {
    Runtime.current = self
    try loop.embed(
      EmbeddedCallbacks(
        run: { Runtime.current!.take($0)() },
        drop: { address in
          _ = Runtime.current!.take(address)
          Runtime.current!.events.append("dropped")
        },
        interrupt: { Interrupt() }))
  }
}

/// The face for another language's runtime: callbacks as they are, the hook around waits, asyncio's order of a turn.
@Suite("Another runtime's callbacks", .serialized, .timeLimit(.minutes(2)))
struct EmbeddingTests {
  @Test("Callbacks of both kinds run in the order of their calls, from other threads too", arguments: LoopKind.allCases)
  func order(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let runtime = Runtime()
      try runtime.embed(in: loop)
      try loop.callSoon(embedded: runtime.make("1"))
      try loop.callSoon { runtime.events.append("2") }
      try loop.callSoon(
        embedded: runtime.make("3") {
          loop.stop()
          try? loop.callSoon(embedded: runtime.make("next run"))
          return true
        })
      try loop.runForever()
      #expect(runtime.events == ["1", "2", "3"])
      loop.stop()
      try loop.runForever()
      #expect(runtime.events.last == "next run" && runtime.left == 0)
    }
  }

  @Test("A callback that fails ends the run, and the rest runs in the next one", arguments: LoopKind.allCases)
  func interrupt(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let runtime = Runtime()
      try runtime.embed(in: loop)
      try loop.callSoon(embedded: runtime.make("fails") { false })
      try loop.callSoon(embedded: runtime.make("rest"))
      #expect(throws: Runtime.Interrupt.self) { try loop.runForever() }
      loop.stop()
      try loop.runForever()
      #expect(runtime.events == ["fails", "rest"])
    }
  }

  @Test("A closed loop gives callbacks back, and refuses new ones", arguments: LoopKind.allCases)
  func closed(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let runtime = Runtime()
      try runtime.embed(in: loop)
      try loop.callSoon(embedded: runtime.make("never"))
      try loop.close()
      #expect(runtime.events == ["dropped"] && runtime.left == 0)
      let late = runtime.make("late")
      #expect(throws: EventLoopError.self) { try loop.callSoon(embedded: late) }
      // The reference has stayed here.
      #expect(runtime.left == 1)
      late.deallocate()
    }
  }

  @Test("The hook is called around waits that take time, and before what they bring", arguments: LoopKind.allCases)
  func waitHook(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let events = Recorder<String>()
      let pair = try SocketPair()
      try loop.setWaitHook(
        WaitHook(
          willWait: {
            events.record("will")
            // What ends the wait comes when it has begun, however slow this thread is.
            if events.all.count == 1 { pair.write(1, to: pair.b) }
          }, didWait: { events.record("did") }))
      try loop.addReader(pair.a) {
        events.record("read")
        try loop.removeReader(pair.a)
        // Nothing is waited for in a turn that has something to run.
        try loop.callSoon { try loop.callSoon { loop.stop() } }
      }
      try loop.runForever()
      #expect(events.all.filter { $0 == "will" }.count == events.all.filter { $0 == "did" }.count)
      #expect(events.all.first == "will" && events.all.suffix(2) == ["did", "read"], "\(events.all)")
      try loop.setWaitHook(nil)
    }
  }

  @Test(
    "What was queued runs before what I/O brings, in the first turn and in later ones", arguments: LoopKind.allCases)
  func orderOfATurn(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let runtime = Runtime()
      try runtime.embed(in: loop)
      let pair = try SocketPair()
      pair.write(1, to: pair.b)
      try loop.addReader(pair.a) {
        runtime.events.append("input")
        try loop.removeReader(pair.a)
        try loop.callSoon { loop.stop() }
        runtime.events.append("end of input")
      }
      try loop.callSoon(
        embedded: runtime.make("queued") {
          try? loop.callSoon(embedded: runtime.make("queued by it"))
          return true
        })
      try loop.runForever()
      #expect(runtime.events == ["queued", "input", "end of input", "queued by it"])
    }
  }

  @Test("What a protocol queues comes after what was queued before its input came", arguments: LoopKind.allCases)
  func orderOfAProtocol(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let runtime = Runtime()
      try runtime.embed(in: loop)
      let pair = try SocketPair()
      pair.release(pair.a)
      let proto = ScriptedProtocol { proto in
        proto.onData = { proto in
          runtime.events.append("data")
          try loop.callSoon(
            embedded: runtime.make("queued by the data") {
              loop.stop()
              return true
            })
          // Queued after it, though by the library.
          proto.transport?.close()
        }
        proto.onLost = { runtime.events.append("lost") }
      }
      let transport = try loop.embeddedTransport(over: pair.a, isAwaited: false, proto)
      try loop.callSoon { loop.stop() }
      try loop.runForever()
      try loop.callSoon(
        embedded: runtime.make("first") {
          pair.write(1, to: pair.b)
          try? loop.callSoon(embedded: runtime.make("queued by the first"))
          return true
        })
      try loop.runForever()
      #expect(runtime.events == ["first", "data", "queued by the first", "queued by the data", "lost"])
      transport.close()
      try loop.callSoon { try loop.callSoon { loop.stop() } }
      try loop.runForever()
    }
  }

  @Test("Bytes and the end after them come in two turns", arguments: LoopKind.allCases)
  func oneChunkATurn(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let runtime = Runtime()
      try runtime.embed(in: loop)
      let turns = Recorder<UInt64>()
      let pair = try SocketPair()
      pair.release(pair.a)
      pair.write(1, to: pair.b)
      pair.close(pair.b)
      let proto = ScriptedProtocol { proto in
        proto.onData = { _ in turns.record(loop.turnCount) }
        proto.onEnd = {
          turns.record(loop.turnCount)
          return false
        }
        proto.onLost = { loop.stop() }
      }
      _ = try loop.embeddedTransport(over: pair.a, isAwaited: false, proto)
      try loop.runForever()
      #expect(turns.all.count == 2 && turns.all[0] < turns.all[1])
    }
  }

  @Test("Nothing is delivered before a transport's input is begun", arguments: LoopKind.allCases)
  func beginInput(kind: LoopKind) async throws {
    try await kind.withLoop { loop in
      let events = Recorder<String>()
      let pair = try SocketPair()
      pair.write(1, to: pair.b)
      pair.release(pair.a)
      let proto = ScriptedProtocol { proto in
        proto.onMade = { _ in events.record("made") }
        proto.onData = { _ in
          events.record("data")
          loop.stop()
        }
      }
      let transport = try loop.embeddedTransport(over: pair.a, isAwaited: true, proto)
      for _ in 0..<3 {
        try loop.callSoon { loop.stop() }
        try loop.runForever()
      }
      #expect(events.all == ["made"])
      transport.beginInput()
      try loop.runForever()
      #expect(events.all == ["made", "data"])
      transport.close()
      try loop.callSoon { try loop.callSoon { loop.stop() } }
      try loop.runForever()
    }
  }
}
