import CAsyncIO
import SystemPackage
import Testing

@testable import AsyncIO

/// Descriptors that are closed behind the loop's back, and numbers that come again: line 63 of the conformance list.
/// Each test has a process of its own, because the kernel gives a closed number to the first that asks; where one
/// has to come again for certain, it is a number apart from those that the process is given.
@Suite struct ReusedDescriptorTests {
  @Test("E63: an old callback does not fire for a file that nobody registered", arguments: LoopKind.allCases)
  func notRegistered(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let old = try SocketPair(apart: ())
        let fired = Recorder<String>()
        try loop.addReader(old.a) { fired.record("old reader") }
        old.close(old.a)
        let new = try SocketPair(reusing: old.a)
        new.write(1, to: new.b)
        try loop.callLater(.milliseconds(20)) { loop.stop() }
        try loop.runForever()
        #expect(fired.all.isEmpty)
        #expect(loop.turnCount <= 6)
      }
    }
  }

  @Test("E63: a descriptor closed behind the loop's back does not make it spin", arguments: LoopKind.allCases)
  func closedDoesNotSpin(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let pair = try SocketPair()
        let fired = Recorder<Int>()
        try loop.addReader(pair.a) { fired.record(1) }
        pair.close(pair.a)
        try loop.callLater(.milliseconds(20)) { loop.stop() }
        try loop.runForever()
        #expect(loop.turnCount <= 6)
        #expect(fired.all.count <= 1)
        #expect(try loop.removeReader(pair.a))
      }
    }
  }

  @Test("hazard A1: callbacks that close everything and open it anew meet no stale event", arguments: LoopKind.allCases)
  func sameBatch(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let old = try (0..<10).map { _ in try SocketPair() }
        let fired = Recorder<String>()
        let fresh = Recorder<SocketPair>()
        for pair in old {
          try loop.addReader(pair.a) {
            fired.record("old")
            for each in old {
              try loop.removeReader(each.a)
              each.close(each.a)
              each.close(each.b)
            }
            for _ in old {
              let pair = try SocketPair()
              fresh.record(pair)
              try loop.addReader(pair.a) {
                fired.record("new")
                pair.read(from: pair.a)
                if fired.all.count == 11 { loop.stop() }
              }
            }
            // Most come again; a descriptor that something else in the process opens meanwhile may take one of them.
            #expect(!Set(fresh.all.map(\.a)).isDisjoint(with: old.flatMap { [$0.a, $0.b] }))
            try loop.callSoon { for pair in fresh.all { pair.write(1, to: pair.b) } }
          }
        }
        for pair in old { pair.write(1, to: pair.b) }
        try loop.runForever()
        #expect(fired.all == ["old"] + Array(repeating: "new", count: 10))
      }
    }
  }

  @Test("row R5: a number that is closed while its file lives on calls nobody back", arguments: LoopKind.allCases)
  func closedElsewhereOpen(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let pair = try SocketPair(apart: ())
        let other = try SocketPair()
        let fired = Recorder<String>()
        try loop.addReader(pair.a) { fired.record("reader") }
        try loop.addWriter(pair.a) { fired.record("writer") }
        try loop.addReader(other.a) {
          fired.record("other")
          loop.stop()
        }
        let duplicate = dup(pair.a)
        pair.close(pair.a)
        pair.write(1, to: pair.b)
        try loop.callLater(.milliseconds(50)) { other.write(1, to: other.b) }
        try loop.runForever()
        #expect(fired.all == ["other"])
        #expect(loop.turnCount <= 10, "\(loop.turnCount) turns")
        // The number comes back for the same file: nobody has asked for it since.
        #expect(dup2(duplicate, pair.a) == pair.a)
        try loop.removeReader(other.a)
        try loop.addReader(pair.a) {
          fired.record("new reader")
          pair.read(from: pair.a)
          loop.stop()
        }
        try loop.runForever()
        #expect(fired.all == ["other", "new reader"])
        for number in [pair.a, duplicate] { _ = CAsyncIO.close(number) }
      }
    }
  }

  @Test("row R5: an event of the old file does not call for the new one", arguments: LoopKind.allCases)
  func oldFileLives(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let old = try SocketPair(apart: ())
        let fired = Recorder<String>()
        try loop.addReader(old.a) { fired.record("old reader") }
        let duplicate = dup(old.a)
        old.close(old.a)
        let new = try SocketPair(reusing: old.a)
        new.write(1, to: new.b)
        old.write(1, to: old.b)
        try loop.callLater(.milliseconds(20)) { loop.stop() }
        try loop.runForever()
        #expect(fired.all.isEmpty)
        #expect(loop.turnCount <= 10, "\(loop.turnCount) turns")
        _ = CAsyncIO.close(duplicate)
      }
    }
  }

  @Test("row R5: a callback before it in the turn gives the number to another file", arguments: LoopKind.allCases)
  func withinATurn(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      try await kind.withLoop { loop in
        let pairs = [try SocketPair(apart: ()), try SocketPair(apart: ())]
        let fresh = Recorder<SocketPair>()
        let fired = Recorder<Int>()
        for (index, pair) in pairs.enumerated() {
          try loop.addReader(pair.a) {
            fired.record(index)
            try loop.removeReader(pair.a)
            // Both are ready, and the other one's callback is queued behind this one.
            let other = pairs[1 - index]
            other.close(other.a)
            let new = try SocketPair(reusing: other.a)
            new.write(1, to: new.b)
            fresh.record(new)
          }
        }
        for pair in pairs { pair.write(1, to: pair.b) }
        try loop.callLater(.milliseconds(20)) { loop.stop() }
        try loop.runForever()
        #expect(fired.all.count == 1)
      }
    }
  }

  #if os(Linux)
    @Test("row R5: files that share an inode are told apart", arguments: LoopKind.allCases)
    func sharedInode(kind: LoopKind) async {
      await #expect(processExitsWith: .success) { [kind] in
        try await kind.withLoop { loop in
          /// An eventfd, which has the inode that all of them have.
          func makeEvents(_ number: Int32) throws -> Int32 {
            var (events, same): (Int32, Int32) = (-1, -1)
            try #require(casyncio_wake_create(&events, &same) == 0)
            try #require(dup2(events, number) == number)
            _ = CAsyncIO.close(events)
            return number
          }
          let number = try makeEvents(700)
          let fired = Recorder<String>()
          try loop.addReader(number) { fired.record("old") }
          let duplicate = dup(number)
          _ = try makeEvents(number)
          // Both are ready: the old file elsewhere, and the new one under the number.
          casyncio_wake_signal(duplicate)
          casyncio_wake_signal(number)
          try loop.callLater(.milliseconds(20)) { loop.stop() }
          try loop.runForever()
          #expect(fired.all.isEmpty)
          #expect(loop.turnCount <= 10, "\(loop.turnCount) turns")
          try loop.addReader(number) {
            fired.record("new")
            casyncio_wake_drain(number)
            loop.stop()
          }
          try loop.runForever()
          #expect(fired.all == ["new"])
          #expect(try loop.removeReader(number))
          for number in [number, duplicate] { _ = CAsyncIO.close(number) }
        }
      }
    }

    @Test("row R5: a watch of a number that came again before it was seen is a new one", arguments: LoopKind.allCases)
    func sharedInodeUnseen(kind: LoopKind) async {
      await #expect(processExitsWith: .success) { [kind] in
        try await kind.withLoop { loop in
          var (events, same): (Int32, Int32) = (-1, -1)
          try #require(casyncio_wake_create(&events, &same) == 0)
          let fired = Recorder<String>()
          try loop.addReader(events) { fired.record("old") }
          try loop.addWriter(events) { fired.record("old writer") }
          let duplicate = dup(events)
          _ = CAsyncIO.close(events)
          var again: Int32 = -1
          try #require(casyncio_wake_create(&again, &same) == 0)
          try #require(dup2(again, events) == events)
          try loop.addReader(events) { fired.record("new") }
          casyncio_wake_signal(duplicate)
          try loop.callLater(.milliseconds(20)) { loop.stop() }
          try loop.runForever()
          #expect(fired.all.isEmpty)
          #expect(loop.turnCount <= 40, "\(loop.turnCount) turns")
          try loop.removeReader(events)
          for number in Set([events, duplicate, again]) { _ = CAsyncIO.close(number) }
        }
      }
    }
  #endif
}
