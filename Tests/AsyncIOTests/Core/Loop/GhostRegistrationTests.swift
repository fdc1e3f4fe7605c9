import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Registrations that the system keeps and nobody can take back, because their descriptors were closed and their files
/// live on. Each test has a process of its own: it counts on the numbers that the system gives out.
@Suite(.timeLimit(.minutes(5)))
struct GhostRegistrationTests {
  /// Close a watched number whose file a duplicate keeps, with a byte in it, and watch new sockets under that
  /// number.
  private static func makeGhost(
    on loop: BaseEventLoop, _ fired: Recorder<String>
  ) throws -> (old: SocketPair, idle: SocketPair, duplicate: Int32) {
    let old = try SocketPair(apart: ())
    try loop.addReader(old.a) { fired.record("ghost") }
    // What a child process that inherited the descriptor does to its registration.
    let duplicate = dup(old.a)
    old.close(old.a)
    #expect(try loop.removeReader(old.a))
    let idle = try SocketPair(reusing: old.a)
    try loop.addReader(idle.a) { fired.record("idle") }
    old.write(1, to: old.b)
    return (old, idle, duplicate)
  }

  @Test(
    "hazard A2: a registration that a duplicate keeps alive does not make the loop spin", arguments: LoopKind.allCases)
  func ghost(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let fired = Recorder<String>()
        let (old, idle, duplicate) = try Self.makeGhost(on: loop, fired)
        try loop.callLater(.milliseconds(50)) {
          // The new registration outlived the cure.
          idle.write(1, to: idle.b)
          try loop.callLater(.milliseconds(50)) { loop.stop() }
          try loop.addReader(idle.a) {
            fired.record("woken")
            try loop.removeReader(idle.a)
          }
        }
        try loop.runForever()
        #expect(fired.all == ["woken"])
        #expect(loop.turnCount <= 30, "\(loop.turnCount) turns")
        _ = CAsyncIO.close(duplicate)
        withExtendedLifetime(old) {}
      }
    }
  }

  @Test(
    "hazard A2: without a descriptor for the cure the loop goes on, and is cured later", arguments: LoopKind.allCases)
  func ghostAtTheLimit(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let fired = Recorder<String>()
        let (old, idle, duplicate) = try Self.makeGhost(on: loop, fired)
        let other = try SocketPair()
        let before = Recorder<rlimit>()
        try loop.callSoon { before.record(DescriptorLimit.lower(to: 3)) }
        try loop.callLater(.milliseconds(20)) { other.write(1, to: other.b) }
        try loop.addReader(other.a) {
          fired.record("other")
          try loop.removeReader(other.a)
          DescriptorLimit.set(before.all[0])
          try loop.callLater(.milliseconds(20)) {
            let turns = loop.turnCount
            try loop.callLater(.milliseconds(20)) {
              #expect(loop.turnCount - turns <= 10, "\(loop.turnCount - turns) turns")
              loop.stop()
            }
          }
        }
        try loop.runForever()
        #expect(fired.all == ["other"])
        _ = CAsyncIO.close(duplicate)
        withExtendedLifetime((old, idle)) {}
      }
    }
  }

  @Test("hazard A2: the cure for ghosts survives other dead descriptors", arguments: LoopKind.allCases)
  func ghostAmongDead(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let ghost = try SocketPair()
        let dead = try SocketPair()
        let alive = try SocketPair()
        let fired = Recorder<String>()
        try loop.addReader(ghost.a) { fired.record("ghost") }
        try loop.addReader(dead.a) { fired.record("dead") }
        try loop.addReader(alive.a) {
          fired.record("alive")
          loop.stop()
        }
        let duplicate = dup(ghost.a)
        ghost.close(ghost.a)
        try loop.removeReader(ghost.a)
        dead.close(dead.a)
        ghost.write(1, to: ghost.b)
        try loop.callLater(.milliseconds(20)) { alive.write(1, to: alive.b) }
        try loop.runForever()
        #expect(fired.all.last == "alive")
        #expect(!fired.all.contains("ghost"))
        #expect(loop.turnCount <= 30, "\(loop.turnCount) turns")
        _ = CAsyncIO.close(duplicate)
      }
    }
  }
}
