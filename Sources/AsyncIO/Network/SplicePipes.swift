internal import CAsyncIO

// Pipes for bytes on their way from socket to socket. The traps:
//
// - A pipe costs two descriptors and, once it has held bytes, memory. So a connection has one only while bytes are in
//   it, and a few wait here for the next ones.
// - A pipe with bytes in it must not come back: they would be the next connection's.
// - The child of a fork has the same pipes as its parent.
// - The system may refuse: no descriptor is left, or no memory for pipes of this user. The bytes are copied then.

/// A pipe, empty unless its user is at work.
struct SplicePipe {
  let readEnd: Int32
  let writeEnd: Int32
  /// Bytes that it holds at most.
  let capacity: Int

  func close() {
    closeNumber(readEnd)
    closeNumber(writeEnd)
  }
}

/// The pipes of a loop that nobody uses at the moment. For the loop's thread, which makes the unchecked conformance
/// right.
final class SplicePipes: LoopResident, @unchecked Sendable {
  /// What a pipe is to hold.
  private static let capacity: Int32 = 256 * 1024
  private static let mostSpare = 16

  private var spare: [SplicePipe] = []
  /// How often a pipe was taken.
  private(set) var taken = 0
  private var forkGeneration = casyncio_fork_generation()

  /// Return an empty pipe; nil if the system gives none.
  func take() -> SplicePipe? {
    leaveToParent()
    taken &+= 1
    if let pipe = spare.popLast() { return pipe }
    var readEnd: Int32 = -1
    var writeEnd: Int32 = -1
    let capacity = casyncio_splice_pipe(Self.capacity, &readEnd, &writeEnd)
    guard capacity > 0 else { return nil }
    return SplicePipe(readEnd: readEnd, writeEnd: writeEnd, capacity: Int(capacity))
  }

  /// Take back a pipe, which is empty.
  func giveBack(_ pipe: SplicePipe) {
    leaveToParent()
    if spare.count < Self.mostSpare { spare.append(pipe) } else { pipe.close() }
  }

  /// In the child of a fork, let go of the pipes that are its parent's as well.
  private func leaveToParent() {
    guard forkGeneration != casyncio_fork_generation() else { return }
    forkGeneration = casyncio_fork_generation()
    closeAll()
  }

  private func closeAll() {
    for pipe in spare { pipe.close() }
    spare = []
  }

  override func loopDidClose() { closeAll() }
}

extension BaseEventLoop {
  /// The loop's pipes, made when they are first needed.
  final var splicePipes: SplicePipes {
    assertLoopThread()
    let key = ObjectIdentifier(SplicePipes.self)
    if let pipes = residents[key] as? SplicePipes { return pipes }
    let pipes = SplicePipes()
    residents[key] = pipes
    return pipes
  }
}
