import CAsyncIO
import POSIX
import SystemPackage
import Testing

@testable import AsyncIO
@testable import AsyncIOConformance

private typealias Pair = AsyncIOConformance.SocketPair

/// The selector of Windows, over the port that this system has.
@Suite(.enabled("completions can be had here") { ProactorDetection.current.isAvailable })
struct PortSelectorTests {
  private let selector: PortSelector
  private let pair: Pair

  init() throws {
    selector = try PortSelector()
    pair = try Pair()
  }

  private func events(waiting nanoseconds: Int64 = 0) throws -> [SelectorEvent] {
    try withUnsafeTemporaryAllocation(of: SelectorEvent.self, capacity: 16) { events in
      Array(events.prefix(try selector.select(timeout: nanoseconds, into: events)))
    }
  }

  /// Wait for the first report; the reports of a second are too late.
  private func next() throws -> [SelectorEvent] {
    for _ in 0..<100 {
      let found = try events(waiting: 10_000_000)
      if !found.isEmpty { return found }
    }
    return []
  }

  private func end() {
    selector.close()
    for fd in [pair.near, pair.far] { pair.close(fd) }
  }

  @Test("A state is reported as long as it lasts")
  func states() throws {
    defer { end() }
    try selector.register(pair.near, interest: .readable, token: 7)
    #expect(try events().isEmpty)
    pair.write(to: pair.far)
    for _ in 0..<3 {
      let found = try next()
      #expect(found.map(\.token) == [7] && found.first?.flags == .readable)
    }
    var byte: UInt8 = 0
    #expect(casyncio_receive_once(pair.near, &byte, 1) == 1)
    // One question may have been answered before the byte was taken; after it there is silence.
    _ = try events()
    #expect(try events(waiting: 1_000_000).isEmpty)
  }

  @Test("What is of interest can change while the system is asked")
  func changes() throws {
    defer { end() }
    try selector.register(pair.near, interest: .readable, token: 1)
    #expect(try events().isEmpty)
    try selector.register(pair.near, interest: [.readable, .writable], token: 2)
    let found = try next()
    #expect(found.map(\.token) == [2] && found.first?.flags == .writable)
    try selector.register(pair.near, interest: .readable, token: 3)
    _ = try events()
    #expect(try events(waiting: 1_000_000).isEmpty)
    pair.write(to: pair.far)
    #expect(try next().map(\.token) == [3])
  }

  @Test("What nobody is interested in any more is not reported, even if it was ready")
  func removal() throws {
    defer { end() }
    try selector.register(pair.near, interest: .writable, token: 1)
    #expect(try next().map(\.token) == [1])
    selector.unregister(pair.near)
    selector.unregister(pair.near)
    #expect(try events(waiting: 1_000_000).isEmpty)
    try selector.register(pair.near, interest: .writable, token: 2)
    #expect(try next().map(\.token) == [2])
    try selector.reset()
    #expect(try events(waiting: 1_000_000).isEmpty)
  }

  @Test("A number that came again is another socket, with a question of its own")
  func reusedNumber() throws {
    let other = try Pair()
    defer {
      end()
      other.close(other.far)
    }
    try selector.register(pair.near, interest: .readable, token: 1)
    #expect(try events().isEmpty)
    // In one call, so that no other test gets the number in between.
    #expect(dup2(other.near, pair.near) == pair.near)
    other.close(other.near)
    try selector.register(pair.near, interest: .readable, token: 2)
    #expect(try events(waiting: 1_000_000).isEmpty)
    other.write(to: other.far)
    #expect(try next().map(\.token) == [2])
  }

  @Test("The end of the peer is reported")
  func endOfPeer() throws {
    defer { end() }
    try selector.register(pair.near, interest: .readable, token: 1)
    pair.close(pair.far)
    let found = try next()
    #expect(found.map(\.token) == [1] && found.first?.flags.contains(.readable) == true)
  }

  @Test("Files that are not sockets are refused")
  func otherFiles() throws {
    defer { end() }
    let ends = try makePipe()
    #expect(throws: Errno.notPermitted) { try selector.register(ends.read, interest: .readable, token: 1) }
    closeNumber(ends.read)
    closeNumber(ends.write)
    #expect(throws: Errno.badFileDescriptor) { try selector.register(-1, interest: .readable, token: 1) }
  }

  @Test("A wake ends the next wait, and closing ends what is asked")
  func wakes() throws {
    defer { end() }
    try selector.register(pair.near, interest: .readable, token: 1)
    selector.wake()
    #expect(try events(waiting: -1).isEmpty)
    let other = try JoinableThread(name: "wakes") { [selector] in selector.wake() }
    #expect(try events(waiting: -1).isEmpty)
    other.join()
  }
}
