/// Stands for a transport in the list of its loop: keeps it alive while it is at work, and releases it when it rests.
///
/// The reference to a transport at rest is weak, and once an object has had a weak reference the runtime counts its
/// references in a side table, which is slow. Few transports ever rest, so the weak reference is made when one does.
/// That saves an echo over protocols 250 instructions, and a connection 32 bytes.
///
/// Right as unchecked because everything but `leave` happens in the loop's thread, and `leave` goes there.
final class TransportMembership: LoopResident, @unchecked Sendable {
  private let core: BaseEventLoop
  private var kept: BaseTransport?
  private weak var resting: BaseTransport?
  private var hasRested = false
  /// Called when the transport has ended or was dropped, in the loop's thread, or while the loop closes.
  var whenEnded: (() -> Void)?

  init(_ core: BaseEventLoop) { self.core = core }

  /// The transport, if it is at work or the program holds it.
  var transport: BaseTransport? { kept ?? (hasRested ? resting : nil) }

  /// Keep a transport that is at work.
  func keep(_ transport: BaseTransport) {
    core.assertLoopThread()
    kept = transport
  }

  /// Let the transport rest: it may be dropped.
  func rest() {
    core.assertLoopThread()
    if !hasRested {
      resting = kept
      hasRested = true
    }
    kept = nil
  }

  /// Forget the transport: it has ended, and has nothing under way.
  func forget() {
    core.assertLoopThread()
    kept = nil
  }

  override func loopDidClose() {
    transport?.loopDidClose()
    ended()
  }

  /// Leave the list: the transport has ended or is no more. Any thread.
  func leave() {
    core.perform { loop in
      loop.residents[ObjectIdentifier(self)] = nil
      self.ended()
    }
  }

  private func ended() {
    core.assertLoopThread()
    let body = whenEnded
    whenEnded = nil
    body?()
  }
}
