internal import CAsyncIO
internal import Synchronization

/// A file descriptor in the care of one loop, with what its backend knows about it.
///
/// The kernel gives numbers out again as soon as they are closed, so a number alone identifies nothing. Every
/// descriptor carries a generation that is never used twice in a process; backends tag their events with it and drop
/// an event whose generation is not the one registered now.
///
/// Thread rules: `close()` may be called from any thread; all other state belongs to the thread that runs the loop.
/// That is what makes the unchecked conformance right.
package final class IODescriptor: @unchecked Sendable {
  private static let generations = Atomic<UInt32>(0)

  /// The number. Valid until the descriptor is closed.
  package let fileDescriptor: Int32
  /// Never the same for two descriptors.
  package let generation: UInt32
  unowned let keeper: any DescriptorKeeper

  // The backend's view; no exclusivity checks, these are read for every message.
  /// The mechanism reports on it.
  @exclusivity(unchecked) package var isRegistered = false
  /// A receive or an accept may succeed now.
  @exclusivity(unchecked) package var isReadable = false
  /// A send may succeed now.
  @exclusivity(unchecked) package var isWritable = true
  /// The peer has sent its last byte, or the connection failed: the end may hide behind a short read.
  @exclusivity(unchecked) package var isHungUp = false
  /// A receive that brings less than there was room for has taken everything. True of TCP until an urgent byte comes;
  /// other sockets, pipes and devices have borders, at which a receive stops while more is there.
  @exclusivity(unchecked) package var shortReadsDrain = false
  /// The last receive was short, and that says nothing: whether more is there is to be asked before a wait.
  @exclusivity(unchecked) package var isInDoubt = false
  /// The operation that waits to receive or accept. Unmanaged, because whoever awaits it keeps it alive and a retain
  /// for every message would be the dearest thing here.
  @exclusivity(unchecked) package var reading: Unmanaged<IOOperation>?
  /// The operation that waits to send or connect, unmanaged for the same reason.
  @exclusivity(unchecked) package var writing: Unmanaged<IOOperation>?

  /// Memory of a backend that keeps more than the words above.
  @exclusivity(unchecked) package var backendState: UnsafeMutableRawPointer?
  /// The system still works on the number: it is closed when the backend lets go of it.
  @exclusivity(unchecked) var isHeld = false
  @exclusivity(unchecked) private var closesWhenLetGo = false

  /// The task of the server that serves the connection. The server cancels that task's operations itself, so they
  /// need no cancellation handlers. An identity to compare with, nothing to follow.
  @exclusivity(unchecked) var owner: UnsafeRawPointer?

  /// Who is told that it is ready, if it is watched and no connection.
  @exclusivity(unchecked) var watch: (any DescriptorWatch)?
  var isWatch: Bool { watch != nil }
  /// False if the number was closed behind the loop's back, and perhaps is somebody else's now. Of a watch; nobody asks
  /// it of a connection, whose number is closed by its loop alone.
  package var isSameFile: Bool { watch?.isSameFile(as: fileDescriptor) ?? false }

  private let closed = Atomic<Bool>(false)
  /// The peer is to see a reset. Written by the one call that closes, before the descriptor is handed to the loop.
  private(set) var isAbortive = false
  /// A socket that listens. Set when it is made.
  var isListening = false
  /// Others may want its address as soon as it is closed: a socket that listens, one for datagrams, one by hand. Set
  /// when it is made.
  var freesAddress = false
  /// A socket that is used as a pipe. It may block, so the calls have to say that they do not wait. Set when it is
  /// made.
  var isPipeSocket = false
  /// The caller's until the protocol of its transport was told, and how it was found. Set when it is made.
  private(set) var loan = Loan.none
  enum Loan { case none, blocking, nonBlocking }
  /// Its file blocked before and has to block again, see `BlockingMode`. Set when it is made.
  var owesBlockingMode = false

  init(_ fileDescriptor: Int32, keeper: any DescriptorKeeper) {
    self.fileDescriptor = fileDescriptor
    self.keeper = keeper
    generation = IODescriptor.generations.add(1, ordering: .relaxed).newValue
    LiveCounters.descriptors.add(1, ordering: .relaxed)
  }

  deinit { LiveCounters.descriptors.subtract(1, ordering: .relaxed) }

  /// Number and generation in one word: what a backend tags its events with.
  @inline(__always)
  package var token: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: fileDescriptor)) }

  /// True once `close()` was called.
  var isClosed: Bool { closed.load(ordering: .acquiring) }

  /// A watched descriptor is ready: queues its callbacks, the reader's first. Called by backends in the poll phase.
  package func deliverWatch(readable: Bool, writable: Bool) {
    watch?.deliver(readable: readable, writable: writable)
  }

  /// The number is somebody else's now: the callbacks of a watch have lost.
  func cancelWatch() {
    watch?.cancel()
    watch = nil
  }

  /// Ends what waits on the descriptor and closes it: at once on the loop's thread or when the loop is closed, else
  /// as soon as the loop gets to it. Once only; later calls do nothing.
  func close(abortively: Bool = false) {
    guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    isAbortive = abortively
    keeper.close(self)
  }

  /// Ends what the loop knows of the number and leaves it open, for whoever has it from here on. Loop thread; nothing
  /// waits on it. `false`: it was closed before.
  func letNumberGo() -> Bool {
    guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return false }
    keeper.backend.detach(self, closing: false)
    return true
  }

  /// It is the caller's for now, and is to work without blocking.
  func borrow() {
    loan = keeper.sockets.isNonBlocking(fileDescriptor) == 0 ? .blocking : .nonBlocking
  }

  /// Leaves the number to the caller who lent it, in the mode that it had. `false`: nobody has lent it, or it is
  /// closed.
  func giveBack() -> Bool {
    guard loan != .none, letNumberGo() else { return false }
    if loan == .blocking { _ = casyncio_set_blocking(fileDescriptor) }
    if owesBlockingMode { BlockingMode.leave(self) }
    return true
  }

  /// Gives the number back to the system, as soon as the backend does not hold it. By the loop only, once.
  func closeNumber() {
    let sockets = keeper.sockets
    if isAbortive { try? SocketOption.linger.set(fileDescriptor, .zero, sockets) }
    // A child process that is just being started holds a copy for a moment, and would keep it listening.
    if isListening { _ = sockets.shutdown(fileDescriptor, Int32(SHUT_RDWR)) }
    if owesBlockingMode { BlockingMode.leave(self) }
    if isHeld && !(freesAddress && keeper.backend.letNumberGo(of: self)) {
      closesWhenLetGo = true
    } else {
      sockets.close(fileDescriptor)
    }
  }

  /// The system has ended its last operation on the number. By the backend.
  func letGo() {
    isHeld = false
    guard closesWhenLetGo else { return }
    closesWhenLetGo = false
    keeper.numbers.withLock { _ in keeper.sockets.close(fileDescriptor) }
  }
}
