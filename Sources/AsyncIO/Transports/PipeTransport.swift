internal import CAsyncIO
internal import SystemPackage

// What the transports of both ends of a pipe have in common. Traps:
//
// - Memory that waits for bytes in the system would be pinned by every idle pipe. So a transport waits until the pipe
//   is ready and then makes a call that does not wait.
// - Readiness is believed once: a backend over readiness keeps reporting it until a call has found nothing.
// - The backend knows an operation in flight by its address. So a transport holds itself while it has one.

/// A transport over one end of a pipe: a ``ReadPipeTransport`` or a ``WritePipeTransport``.
///
/// **Threads.** See ``BaseTransport``.
public class PipeTransport: BaseTransport {
  final let end: PipeEnd
  private final let relay = PipeRelay()

  init(_ end: PipeEnd, core: BaseEventLoop) {
    self.end = end
    super.init(core: core)
    relay.transport = self
  }

  deinit {
    guard !end.isClosed else { return }
    warnOfDrop("it was dropped")
    end.descriptor.close()
  }

  override func extraInfo(_ name: String) -> Any? {
    name == "pipe" ? end.descriptor.fileDescriptor : nil
  }

  override func giveBack() -> Bool { end.descriptor.giveBack() }

  override func release() { end.descriptor.close() }

  /// Observe the end of an operation of the transport, which is in flight no longer than the transport lives.
  final func observe(_ operation: IOOperation) { operation.observer = .passUnretained(relay) }

  /// Handle the end of an operation.
  func ended(_ operation: IOOperation) {}
  /// True while an operation of the transport is in flight.
  var isBusy: Bool { false }

  /// Keep the transport alive while the backend knows its operations.
  final func hold() {
    keep(isBusy)
  }

  override func settle() { hold() }

  fileprivate final func operationEnded(_ operation: IOOperation) {
    ended(operation)
    hold()
  }

  /// Submit an operation; if it ends at once, its end is handled in the next turn.
  final func submit(_ operation: IOOperation) {
    guard operation.state != .inFlight else { return }
    operation.sequence &+= 1
    if core.backend.submit(operation) { core.completeNextTurn(operation) }
    hold()
  }

  /// End an operation in flight.
  final func cancel(_ operation: IOOperation) {
    if operation.state == .inFlight { core.backend.cancel(operation) }
    hold()
  }

  /// End the transport after an error of the system.
  final func lose(_ result: Int, _ operation: String) {
    fail(IOError(result: result, operation, "descriptor \(end.descriptor.fileDescriptor)"))
  }
}

/// Tells a transport of the ends of its operations.
private final class PipeRelay: OperationObserver {
  /// Right because a transport is alive while an operation of it is in flight.
  unowned(unsafe) var transport: PipeTransport?

  override func operationEnded(_ operation: IOOperation) {
    guard let transport else { return }
    transport.operationEnded(operation)
  }
}

extension ExtraInfoKey where Value == Int32 {
  /// The descriptor of a pipe transport, which the transport keeps.
  public static var pipe: ExtraInfoKey { ExtraInfoKey("pipe") }
}
