internal import COpenSSL

/// What the protected connections of a loop share: memory that each of them needs only while its turn lasts, and the
/// bound on what they may cost the others.
///
/// A handshake is dear: tens of thousands of instructions at least, a few hundred microseconds where a signature is
/// made. If thousands of clients come at once, the connections that are there already must have their turns as well.
///
/// Unchecked because it is used in the thread of its loop only, except for the return of lent chunks after its close.
final class TLSScratch: LoopResident, @unchecked Sendable {
  /// How many handshakes may go on in one turn of the loop.
  static let handshakesInTurn = 8

  /// Memory for what is decrypted.
  @exclusivity(unchecked) var pool = LentBufferPool()
  /// Memory for what is encrypted: the C library's, because it may grow there.
  @exclusivity(unchecked) private var output: UnsafeMutablePointer<UInt8>?
  @exclusivity(unchecked) private var outputCapacity = 0
  private var turn: UInt64 = 0
  private var handshakes = 0

  deinit {
    output?.deallocate()
    pool.deallocateAll()
  }

  /// The one of a loop. Loop thread.
  static func of(_ core: BaseEventLoop) -> TLSScratch {
    core.assertLoopThread()
    let key = ObjectIdentifier(TLSScratch.self)
    if let known = core.residents[key] as? TLSScratch { return known }
    let scratch = TLSScratch()
    core.residents[key] = scratch
    return scratch
  }

  /// Free what is here. Chunks that are still lent are freed when they come back.
  override func loopDidClose() { pool.deallocateAll() }

  /// Count a step of a handshake. Returns `false` if it has to wait for the next turn.
  func admitsHandshake(in turn: UInt64) -> Bool {
    if turn != self.turn { (self.turn, handshakes) = (turn, 0) }
    handshakes += 1
    return handshakes <= Self.handshakesInTurn
  }

  /// Lend the memory for output to a session, for one call.
  @inline(__always)
  func lendOutput(to bytes: TLSBytes) {
    bytes.pointer.pointee.output = output
    bytes.pointer.pointee.output_capacity = outputCapacity
    bytes.pointer.pointee.output_count = 0
  }

  /// Take the memory back, which may have grown.
  @inline(__always)
  func takeOutput(from bytes: TLSBytes) {
    output = bytes.pointer.pointee.output
    outputCapacity = bytes.pointer.pointee.output_capacity
    bytes.pointer.pointee.output = nil
    bytes.pointer.pointee.output_capacity = 0
    bytes.pointer.pointee.output_count = 0
  }
}
