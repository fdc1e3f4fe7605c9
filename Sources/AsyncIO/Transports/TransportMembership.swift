/// Stands for a transport in the list of its loop: keeps it alive while it is at work, and lets it go when it rests.
///
/// The reference to a transport at rest is weak, and the runtime counts the references of an object that has ever had a
/// weak one in a table beside it, the slow way. Few transports ever rest, so the weak reference is made when one does:
/// an echo over protocols has 250 instructions less by that, and a connection 32 bytes.
///
/// Right as unchecked because everything but `leave` happens in the loop's thread, and `leave` goes there.
final class TransportMembership: LoopResident, @unchecked Sendable {
  private let core: BaseEventLoop
  private var kept: BaseTransport?
  private weak var resting: BaseTransport?
  private var hasRested = false
  /// Is told when the transport has ended or was dropped, in the loop's thread, or while the loop closes.
  var whenEnded: (() -> Void)?

  init(_ core: BaseEventLoop) { self.core = core }

  /// The transport, if it is at work or somebody has it.
  var transport: BaseTransport? { kept ?? (hasRested ? resting : nil) }

  /// The transport is at work: it stays.
  func keep(_ transport: BaseTransport) { kept = transport }

  /// It rests: it may be dropped.
  func rest() {
    if !hasRested {
      resting = kept
      hasRested = true
    }
    kept = nil
  }

  /// It has ended, and has nothing under way.
  func forget() { kept = nil }

  override func loopDidClose() {
    transport?.loopDidClose()
    ended()
  }

  /// The transport has ended or is no more. Any thread.
  func leave() {
    core.perform { loop in
      loop.residents[ObjectIdentifier(self)] = nil
      self.ended()
    }
  }

  private func ended() {
    let body = whenEnded
    whenEnded = nil
    body?()
  }
}
