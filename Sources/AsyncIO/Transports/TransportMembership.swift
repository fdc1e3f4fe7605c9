/// Stands for a transport where it must not be held: in the list of its loop.
///
/// Right as unchecked because everything but `leave` happens in the loop's thread, and `leave` goes there.
final class TransportMembership: LoopResident, @unchecked Sendable {
  private let core: BaseEventLoop
  weak var transport: BaseTransport?
  /// Is told when the transport has ended or was dropped, in the loop's thread, or while the loop closes.
  var whenEnded: (() -> Void)?

  init(_ core: BaseEventLoop) { self.core = core }

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
