internal import COpenSSL

/// What the protected connections of a loop share: memory for their records, and the number of handshakes that one turn
/// may advance.
///
/// A handshake is a millisecond of arithmetic or a tenth of one, and a server may have thousands of them before it. So
/// a turn advances a few and leaves the others to the next turns, between which everything else has its share.
final class TLSScratch: LoopResident, @unchecked Sendable {
  // Unchecked as the base class is.

  /// Of a written piece, so that its records fit into one block and into the nearest caches.
  static let pieceSize = 64 * 1024
  private static var stepsPerTurn: Int { 4 }

  /// Buffers for what was decrypted.
  @exclusivity(unchecked) var pool = LentBufferPool()
  private var output: UnsafeMutablePointer<UInt8>?
  private var capacity = 0
  private var isLent = false
  private var turn: UInt64 = 0
  private var steps = 0

  /// The one of a loop. Loop thread.
  static func of(_ core: BaseEventLoop) -> TLSScratch {
    core.assertLoopThread()
    let key = ObjectIdentifier(TLSScratch.self)
    if let scratch = core.residents[key] { return unsafeDowncast(scratch, to: TLSScratch.self) }
    let scratch = TLSScratch()
    core.residents[key] = scratch
    return scratch
  }

  deinit { output?.deallocate() }

  override func loopDidClose() {
    pool.deallocateAll()
  }

  /// Take a lent buffer back. After the close of the loop in any thread, and in several at once.
  func giveBack(_ buffer: UnsafeMutableRawPointer, capacity: Int) {
    if !pool.frees(buffer) { pool.giveBack(buffer, capacity: capacity) }
  }

  /// Take the right to advance one handshake in this turn. Returns `false` if others have used it up.
  func takeStep(in turn: UInt64) -> Bool {
    if self.turn != turn { (self.turn, steps) = (turn, 0) }
    guard steps < Self.stepsPerTurn else { return false }
    steps += 1
    return true
  }

  /// Lend the block for output to a session. It comes back before anything else happens.
  @inline(__always)
  func lend(to bytes: TLSBytes) {
    assert(!isLent, "two sessions write into one block")
    isLent = true
    bytes.pointer.pointee.output = output
    bytes.pointer.pointee.output_capacity = capacity
    bytes.pointer.pointee.output_count = 0
  }

  /// Take the block back, which may have grown.
  @inline(__always)
  func takeBack(from bytes: TLSBytes) {
    isLent = false
    output = bytes.pointer.pointee.output
    capacity = bytes.pointer.pointee.output_capacity
    bytes.pointer.pointee.output = nil
    bytes.pointer.pointee.output_count = 0
  }
}
