internal import Synchronization

// What a loop can say of itself in numbers, for those who measure it from outside. Nothing here is done for a message.
// The traps:
//
// - A server is counted as it is: it says how many connections it has when it is asked, and nothing is counted up and
//   down meanwhile.
// - TCP counts bytes by itself. They are fetched when somebody asks, and once more when a number is closed, or they
//   would be gone with it. That costs a system call for each connection, so it is off until somebody counts.

/// The numbers of a loop at one time. Those that only grow say so; the others are what is there now.
package struct LoopFigures: Sendable {
  /// Turns made; grows.
  package var turns: UInt64 = 0
  /// Jobs and callbacks that went into the queue; grows.
  package var entries: Int = 0
  /// Jobs and callbacks in the queue.
  package var ready = 0
  /// Timers that are set.
  package var timers = 0
  /// Tasks of `createTask` and of runs that have not ended.
  package var tasks = 0
  /// Connections of servers.
  package var connections = 0
  /// Connections that servers have accepted; grows.
  package var accepts: UInt64 = 0
  /// Connections that failed before they were accepted; grows.
  package var acceptFailures: UInt64 = 0
  /// Shortages of descriptors or memory, at which accepting paused; grows.
  package var acceptPauses: UInt64 = 0
  /// Listening sockets that wait for a place or for the end of a shortage.
  package var waitingListeners = 0
  /// Bytes of TCP connections: of all that were closed, and of those that servers have; grows. `nil` if nothing counts.
  package var bytes: TransferredBytes?
  /// Work that waits in the default executor, and its threads; `nil` if there is no default executor.
  package var pool: (queued: Int, threads: Int, idle: Int)?

  package init() {}
}

/// A server that says what it has. Loop thread.
protocol CountedServer: AnyObject {
  /// The number of its connections.
  var connectionCount: Int { get }
  /// The number of listening sockets that wait for a place or for the end of a shortage.
  var pausedListenerCount: Int { get }
  /// Count the bytes of its connections.
  func countBytes(into total: inout TransferredBytes)
}

/// What the servers of a loop have counted. Loop thread.
///
/// Right as unchecked as its base class is.
final class LoopTally: LoopResident, @unchecked Sendable {
  private struct Weak {
    weak var server: (any CountedServer)?
  }

  private static var key: ObjectIdentifier { ObjectIdentifier(LoopTally.self) }
  /// True once any loop counts bytes: the others are spared the look-up when a number is closed.
  fileprivate static let countsBytes = Atomic<Bool>(false)

  var accepts: UInt64 = 0
  var acceptFailures: UInt64 = 0
  var acceptPauses: UInt64 = 0
  /// Bytes of closed connections; `nil` if nothing counts.
  fileprivate var closedBytes: TransferredBytes?
  private var servers: [Weak] = []

  /// Return the tally of a loop.
  static func of(_ core: BaseEventLoop) -> LoopTally {
    if let tally = core.residents[key] { return unsafeDowncast(tally, to: LoopTally.self) }
    let tally = LoopTally()
    core.residents[key] = tally
    return tally
  }

  /// Take a server into account while it lives.
  func add(_ server: any CountedServer) {
    servers.removeAll { $0.server == nil }
    servers.append(Weak(server: server))
  }

  fileprivate var living: [any CountedServer] { servers.compactMap(\.server) }
}

extension BaseEventLoop {
  /// The numbers of this loop now. Loop thread.
  package final var figures: LoopFigures {
    assertLoopThread()
    var figures = LoopFigures()
    (figures.turns, figures.entries) = (turns, ready.pushed)
    (figures.ready, figures.timers) = (ready.count, timers.count)
    figures.tasks = LoopTaskRegistry.shared.count(of: self)
    let tally = LoopTally.of(self)
    (figures.accepts, figures.acceptFailures) = (tally.accepts, tally.acceptFailures)
    figures.acceptPauses = tally.acceptPauses
    figures.bytes = tally.closedBytes
    for server in tally.living {
      figures.connections += server.connectionCount
      figures.waitingListeners += server.pausedListenerCount
      if figures.bytes != nil { server.countBytes(into: &figures.bytes!) }
    }
    figures.pool = shared.withLock { $0.defaultExecutor }?.figures
    return figures
  }

  /// Begin to count the bytes of connections. Loop thread.
  package final func beginToCountBytes() {
    assertLoopThread()
    let tally = LoopTally.of(self)
    if tally.closedBytes == nil { tally.closedBytes = TransferredBytes() }
    LoopTally.countsBytes.store(true, ordering: .relaxed)
  }

  /// Note the bytes of a connection whose number is about to be closed. Loop thread.
  @inline(__always)
  final func countBytes(of descriptor: IODescriptor) {
    if LoopTally.countsBytes.load(ordering: .relaxed) { countClosedBytes(of: descriptor) }
  }

  @inline(never)
  private final func countClosedBytes(of descriptor: IODescriptor) {
    let tally = LoopTally.of(self)
    if tally.closedBytes != nil { countBytes(of: descriptor, into: &tally.closedBytes!) }
  }

  /// Add the bytes of a connection, if it is one of TCP and the system can tell. Loop thread.
  final func countBytes(of descriptor: IODescriptor, into total: inout TransferredBytes) {
    guard !descriptor.isListening, let bytes = sockets.transferredBytes(of: descriptor.fileDescriptor) else { return }
    total += bytes
  }

  /// The number that tells this loop from the others of the process.
  package final var numberOfLoop: UInt64 { UInt64(number) }
}

/// What the process has of things that belong to loops, whichever loop that is.
package enum ProcessFigures {
  /// Descriptors in the care of loops.
  package static var descriptors: Int { LiveCounters.descriptors.load(ordering: .relaxed) }
  /// Child processes that are watched.
  package static var children: Int { LiveCounters.childWatches.load(ordering: .relaxed) }
}
