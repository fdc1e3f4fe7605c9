internal import CAsyncIO
internal import Synchronization

/// Runs code when a peer ends its stream while nobody reads it. In the poll phase.
package class EndObserver {
  /// Handle the end, or the failure, of the stream: a receive finds it after what has come before.
  func peerHasEnded() {}
}

/// A file descriptor in the care of one loop, with what its backend knows about it.
///
/// The kernel reuses numbers as soon as they are closed, so a number alone identifies nothing. Every descriptor carries
/// a generation that is never used twice in a process; backends tag their events with it and drop an event whose
/// generation is not the registered one.
///
/// Thread rules: `close()` may be called from any thread; all other state belongs to the thread that runs the loop.
/// That is what makes the unchecked conformance right.
package final class IODescriptor: @unchecked Sendable {
  private static let generations = Atomic<UInt32>(0)

  /// The number. Valid until the descriptor is closed.
  package let fileDescriptor: Int32
  /// Unique: two descriptors never have the same.
  package let generation: UInt32
  unowned let keeper: any DescriptorKeeper

  // The backend's view; no exclusivity checks, these are read for every message.
  /// True if the mechanism reports on it.
  @exclusivity(unchecked) package var isRegistered = false
  /// A receive or an accept may succeed now.
  @exclusivity(unchecked) package var isReadable = false
  /// A send may succeed now.
  @exclusivity(unchecked) package var isWritable = true
  /// The peer has sent its last byte, or the connection failed: a short read may hide the end.
  @exclusivity(unchecked) package var isHungUp = false
  /// True if a receive that brings less than there was room for has taken everything. That holds for TCP until an
  /// urgent byte comes; other sockets, pipes and devices have borders, at which a receive stops while more is there.
  @exclusivity(unchecked) package var shortReadsDrain = false
  /// The last receive was short, which proves nothing: before a wait, ask whether more is there.
  @exclusivity(unchecked) package var isInDoubt = false
  /// The peer's end is known to who observes it, and only a failure is news. Placed here to fill the padding after the
  /// flags.
  @exclusivity(unchecked) package var knowsEnd = false
  /// The operation that waits to receive or accept. Unmanaged, because the task that awaits it keeps it alive and a
  /// retain for every message would be the dearest thing here.
  @exclusivity(unchecked) package var reading: Unmanaged<IOOperation>?
  /// The operation that waits to send or connect, unmanaged for the same reason.
  @exclusivity(unchecked) package var writing: Unmanaged<IOOperation>?

  /// Told once of the peer's end, or of a failure, that comes while no operation reads.
  @exclusivity(unchecked) package var endObserver: EndObserver?

  /// Memory of a backend that keeps more than the words above.
  @exclusivity(unchecked) package var backendState: UnsafeMutableRawPointer?
  /// The system still works on the number: it is closed when the backend releases it.
  @exclusivity(unchecked) var isHeld = false
  @exclusivity(unchecked) private var closesWhenLetGo = false

  /// The task of the server that serves the connection. The server cancels that task's operations itself, so they need
  /// no cancellation handlers. An identity to compare with, never to dereference.
  @exclusivity(unchecked) var owner: UnsafeRawPointer?

  /// Called when it is ready, if it is watched and not a connection.
  @exclusivity(unchecked) var watch: (any DescriptorWatch)?
  var isWatch: Bool { watch != nil }
  /// False if the number was closed without the loop's knowledge, and may be another file's now. For watches only: the
  /// number of a connection is closed by its loop alone.
  package var isSameFile: Bool { watch?.isSameFile(as: fileDescriptor) ?? false }

  private let closed = Atomic<Bool>(false)
  /// True if the peer is to see a reset. Written by the one call that closes, before the loop gets the descriptor.
  private(set) var isAbortive = false
  /// A socket that listens. Set when it is made.
  var isListening = false
  /// True for a listening socket that came from the caller: other processes may listen on it as well. Set when it is
  /// made.
  var isLent = false
  /// The process that made it, as far as it tells a parent from its child: the child of a fork has the same socket.
  private let maker = UInt8(truncatingIfNeeded: casyncio_fork_generation())
  /// True if others may want its address as soon as it is closed: for a socket that listens, one for datagrams, one
  /// used by hand. Set when it is made.
  var freesAddress = false
  /// True for a socket that is used as a pipe. It may block, so the calls have to say that they do not wait. Set when
  /// it is made.
  var isPipeSocket = false
  /// Whether it is the caller's until the protocol of its transport was told, and its mode before. Set when it is made.
  private(set) var loan = Loan.none
  enum Loan { case none, blocking, nonBlocking }
  /// True if its file blocked before and has to block again, see `BlockingMode`. Set when it is made.
  var owesBlockingMode = false
  /// What stands between the users of a connection and the backend, if anything does; it stays until the end. Placed
  /// here to fill the padding after the flags. Retained once, and used without another count: a layer that works is not
  /// taken away.
  @exclusivity(unchecked) private(set) var heldLayer: Unmanaged<StreamLayer>?
  var layer: StreamLayer? {
    get { heldLayer?.takeUnretainedValue() }
    set {
      let old = heldLayer
      heldLayer = newValue.map { .passRetained($0) }
      old?.release()
    }
  }

  init(_ fileDescriptor: Int32, keeper: any DescriptorKeeper) {
    self.fileDescriptor = fileDescriptor
    self.keeper = keeper
    generation = IODescriptor.generations.add(1, ordering: .relaxed).newValue
    LiveCounters.descriptors.add(1, ordering: .relaxed)
  }

  deinit {
    heldLayer?.release()
    LiveCounters.descriptors.subtract(1, ordering: .relaxed)
  }

  /// Trap in debug builds if another thread runs the loop. Not for what happens while a loop goes away: a loop that was
  /// dropped without a close closes itself, and must not be referred to then.
  @inline(__always)
  func assertLoopThread(file: StaticString = #fileID, line: UInt = #line) {
    assert(keeper.isLoopThread, "a descriptor belongs to the thread that runs its event loop", file: file, line: line)
  }

  /// The number and generation in one word: backends tag their events with it.
  @inline(__always)
  package var token: UInt64 { UInt64(generation) << 32 | UInt64(UInt32(bitPattern: fileDescriptor)) }

  /// True once `close()` was called.
  var isClosed: Bool { closed.load(ordering: .acquiring) }

  /// Queue the callbacks of a watched descriptor that is ready, the reader's first. Called by backends in the poll
  /// phase.
  package func deliverWatch(readable: Bool, writable: Bool) {
    assertLoopThread()
    watch?.deliver(readable: readable, writable: writable)
  }

  /// Tell who waits for the peer's end, once. Nothing touches the descriptor afterwards: it may be released.
  package func tellEnd() {
    guard let observer = endObserver else { return }
    endObserver = nil
    observer.peerHasEnded()
  }

  /// Cancel the callbacks of a watch: the number may be another file's by now.
  func cancelWatch() {
    watch?.cancel()
    watch = nil
  }

  /// End pending operations of the descriptor and close it: at once on the loop's thread or when the loop is closed,
  /// else as soon as the loop gets to it. Once only; later calls do nothing.
  func close(abortively: Bool = false) {
    guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    isAbortive = abortively
    keeper.closeDescriptor(self)
  }

  /// End what the loop knows of the number and leave the number open, for its next owner. Loop thread; nothing waits on
  /// it. Returns `false` if it was closed before.
  func letNumberGo() -> Bool {
    assertLoopThread()
    guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return false }
    keeper.backend.detach(self, closing: false)
    return true
  }

  /// Borrow it from the caller, and make it work without blocking.
  func borrow() {
    loan = keeper.sockets.isNonBlocking(fileDescriptor) == 0 ? .blocking : .nonBlocking
  }

  /// Leave the number to the caller who lent it, in the mode that it had. Returns `false` if it is not borrowed, or is
  /// closed.
  func giveBack() -> Bool {
    guard loan != .none, letNumberGo() else { return false }
    if loan == .blocking { _ = casyncio_set_blocking(fileDescriptor) }
    if owesBlockingMode { BlockingMode.leave(self) }
    return true
  }

  /// Give the number back to the system, as soon as the backend does not hold it. By the loop only, once.
  func closeNumber() {
    let sockets = keeper.sockets
    layer?.numberWasClosed()
    // What follows is done to the socket, and not only to the number: the child of a fork leaves it to its parent.
    let isOwn = maker == UInt8(truncatingIfNeeded: casyncio_fork_generation())
    if isAbortive && isOwn { try? SocketOption.linger.set(fileDescriptor, .zero, sockets) }
    // A child process that is just being started holds a copy for a moment, and would keep it listening. A socket that
    // the caller brought is left alone: a supervisor, or the other workers of a server, listen on it, and a shutdown
    // would end it for them all.
    if isListening && !isLent && isOwn { _ = sockets.shutdown(fileDescriptor, Int32(SHUT_RDWR)) }
    if owesBlockingMode { BlockingMode.leave(self) }
    if isHeld && !(freesAddress && keeper.backend.letNumberGo(of: self)) {
      closesWhenLetGo = true
    } else {
      sockets.close(fileDescriptor)
    }
  }

  /// Note that the system has ended its last operation on the number. By the backend.
  func letGo() {
    isHeld = false
    guard closesWhenLetGo else { return }
    closesWhenLetGo = false
    keeper.numbers.withLock { _ in keeper.sockets.close(fileDescriptor) }
  }
}
