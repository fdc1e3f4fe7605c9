import AsyncIOConformance
import CAsyncIO
import POSIX
import Synchronization
import SystemPackage

@testable import AsyncIO

/// The other side of a race: a thread that does one thing at a time, when it is asked to, at sockets that belong to it.
///
/// What it has counted is read by the thread that asks, after `wait()`: that is what makes the unchecked conformance
/// right.
final class RacingPeer: @unchecked Sendable {
  enum Action {
    /// Sends numbered bytes, as many as the socket takes.
    case write(Int32, Int)
    /// Receives what has arrived and compares it.
    case drain(Int32)
    /// Connects to a listener and resets the connection.
    case connect(SocketAddress)
    /// Takes what a listener has. It is reset by the next action of this kind: a reset that comes before the other side
    /// has looked would be the result of its connect.
    case accept(Int32)
    case end
  }

  private let asked = Atomic<Int>(0)
  private let done = Atomic<Int>(0)
  private var action = Action.end
  private var thread: TestThread?
  private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)

  /// Bytes written to, and read from, each socket so far.
  private(set) var written: [Int32: Int] = [:]
  private(set) var drained: [Int32: Int] = [:]
  private(set) var connected = 0
  private var held: [Int32] = []
  private(set) var errors: [String] = []

  init() { thread = TestThread { self.run() } }

  deinit { memory.deallocate() }

  /// Ask for an action; the one before is done.
  func begin(_ action: Action) {
    self.action = action
    asked.add(1, ordering: .releasing)
  }

  /// Wait until what was asked for is done.
  func wait() {
    while done.load(ordering: .acquiring) != asked.load(ordering: .relaxed) { yieldProcessor() }
  }

  func end() {
    begin(.end)
    thread?.join()
    thread = nil
  }

  private func run() {
    for number in 1... {
      while asked.load(ordering: .acquiring) < number { yieldProcessor() }
      if case .end = action {
        resetHeld()
        return done.store(number, ordering: .releasing)
      }
      act()
      done.store(number, ordering: .releasing)
    }
  }

  private func act() {
    switch action {
    case .write(let socket, let count): write(socket, count)
    case .drain(let socket): drain(socket)
    case .connect(let address): connect(to: address)
    case .accept(let listener):
      resetHeld()
      while case let fd = CAsyncIO.accept(listener, nil, nil), fd >= 0 { held.append(fd) }
    case .end: break
    }
  }

  private func write(_ socket: Int32, _ count: Int) {
    let n = CAsyncIO.send(socket, RacingBytes.pointer(at: written[socket] ?? 0), count, Int32(MSG_DONTWAIT))
    if n > 0 { written[socket, default: 0] += n }
  }

  /// Also for the thread that asks, when nothing is asked for.
  func drain(_ socket: Int32) {
    while case let n = recv(socket, memory.baseAddress, memory.count, Int32(MSG_DONTWAIT)), n > 0 {
      let count = drained[socket] ?? 0
      if !RacingBytes.areRight(memory.baseAddress!, n, at: count) { errors.append("wrong bytes at \(count)") }
      drained[socket] = count + n
    }
  }

  private func connect(to address: SocketAddress) {
    guard let fd = try? SystemSockets.shared.open(for: AddressInfo(address)) else { return errors.append("no socket") }
    // Over the loopback the connection is made inside the call.
    _ = address.withSockaddr { CAsyncIO.connect(fd, $0, $1) }
    if SocketAddress.peer(of: fd) != nil { connected += 1 }
    reset(fd)
  }

  private func resetHeld() {
    for fd in held { reset(fd) }
    held = []
  }

  private func reset(_ fd: Int32) {
    Self.resetOnClose(fd)
    _ = CAsyncIO.close(fd)
  }

  /// Thousands of connections that linger would use up all ports.
  static func resetOnClose(_ fd: Int32) {
    var option = linger(l_onoff: 1, l_linger: 0)
    _ = setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout.size(ofValue: option)))
  }

  /// A socket is gone; its number may come again.
  func forget(_ socket: Int32) {
    written[socket] = nil
    drained[socket] = nil
  }
}

/// The numbered bytes of `numbered(_:)`, as memory that stays: making an array of them for every round would be most
/// of a race.
enum RacingBytes {
  /// What a single operation may send or receive.
  static let maximum = 256 * 1024

  nonisolated(unsafe) private static let table: UnsafeMutableRawPointer = {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: maximum + numberPeriod, alignment: 16)
    memory.copyBytes(from: numbered(0..<memory.count))
    return memory.baseAddress!
  }()

  /// The bytes from a position on, `maximum` of them.
  static func pointer(at position: Int) -> UnsafeMutableRawPointer { table + position % numberPeriod }

  static func areRight(_ bytes: UnsafeRawPointer, _ count: Int, at position: Int) -> Bool {
    memcmp(bytes, pointer(at: position), count) == 0
  }
}
