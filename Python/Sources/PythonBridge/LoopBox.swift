// The names are the seam's, which is C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

@_spi(Embedding) import AsyncIO
import CSeam
import Logging
import SystemPackage

// A loop of Swift's behind a loop object of Python's.
//
// The GIL is released while the loop waits, and held at all other times of a run: so the callbacks of Python's, its
// protocols, and what they call run as they would on any loop. Signals interrupt a wait; Python's handlers run when it
// is over.

/// What a Python loop object has of Swift's. For threads with the GIL; that is what makes the unchecked conformance
/// right.
final class LoopBox: @unchecked Sendable {
  let loop: BaseEventLoop
  /// The Python object, which has this one: not counted.
  let python: UnsafeMutableRawPointer
  /// What `PyEval_SaveThread` has returned, while the loop waits.
  private var released: UnsafeMutableRawPointer?

  init(_ loop: BaseEventLoop, for python: UnsafeMutableRawPointer) throws {
    (self.loop, self.python) = (loop, python)
    try loop.embed(
      EmbeddedCallbacks(
        run: { aiopy_run($0) }, drop: { aiopy_drop($0) }, interrupt: { PythonInterrupt() }))
    try loop.setWaitHook(
      WaitHook(
        willWait: { [unowned self] in released = aiopy_gil_release() },
        didWait: { [unowned self] in waitIsOver() }))
    loop.reportLogger = Logger(label: "asyncio") { _ in PythonLog() }
    loop.exceptionHandler = { [unowned self] _, context in report(context) }
  }

  private func waitIsOver() {
    aiopy_gil_acquire(released)
    released = nil
    guard !aiopy_check_signals(python) else { return }
    // The exception of a handler leaves the run with the next callbacks.
    _ = try? loop.callSoon { throw PythonInterrupt() }
  }

  /// Tell Python's exception handler of an error that has no other place. What a protocol of Python's has raised was
  /// reported where it was raised.
  private func report(_ context: ExceptionContext) {
    if context.exception is PythonError { return }
    "\(context)".withCString { aiopy_report(python, $0, nil) }
  }

  @inline(__always)
  static func of(_ pointer: UnsafeMutableRawPointer) -> LoopBox {
    Unmanaged<LoopBox>.fromOpaque(pointer).takeUnretainedValue()
  }
}

/// Gives the library's reports to Python's logger of asyncio.
struct PythonLog: LogHandler {
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let level: Int32 =
      switch event.level {
      case .trace, .debug: 0
      case .info, .notice: 1
      case .warning: 2
      case .error, .critical: 3
      }
    "\(event.message)".withCString { aiopy_log(level, $0) }
  }
}

/// Make a loop of a kind; of the one that `ASYNCIO_EVENT_LOOP` names, or the platform's, for NULL.
private func makeLoop(_ kind: String?) throws -> BaseEventLoop {
  let loop = try kind.map { try EventLoopKinds.make($0) } ?? DefaultEventLoopPolicy().newEventLoop()
  guard let loop = loop as? BaseEventLoop else {
    throw EventLoopError(.notOffered, "new_event_loop: a loop of kind \(kind ?? "?") has no descriptors.")
  }
  return loop
}

@c @implementation
public func aioswift_loop_new(
  _ kind: UnsafePointer<CChar>?, _ python: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
  do {
    let loop = try makeLoop(kind.map { String(cString: $0) })
    return Unmanaged.passRetained(try LoopBox(loop, for: python!)).toOpaque()
  } catch {
    _ = raise(error)
    return nil
  }
}

@c @implementation
public func aioswift_loop_free(_ loop: UnsafeMutableRawPointer?) {
  Unmanaged<LoopBox>.fromOpaque(loop!).release()
}

@c @implementation
public func aioswift_loop_run(_ loop: UnsafeMutableRawPointer?) -> Int32 {
  attempt { try LoopBox.of(loop!).loop.runForever() }
}

@c @implementation
public func aioswift_loop_stop(_ loop: UnsafeMutableRawPointer?) { LoopBox.of(loop!).loop.stop() }

@c @implementation
public func aioswift_loop_close(_ loop: UnsafeMutableRawPointer?) -> Int32 {
  attempt { try LoopBox.of(loop!).loop.close() }
}

@c @implementation
public func aioswift_loop_visit(
  _ loop: UnsafeMutableRawPointer?,
  _ visit: (@convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Int32)?,
  _ arg: UnsafeMutableRawPointer?
) -> Int32 {
  var status: Int32 = 0
  _ = LoopBox.of(loop!).loop.lookAtEmbedded { callback in
    status = visit!(callback, arg)
    return status == 0
  }
  return status
}

@c @implementation
public func aioswift_loop_time(_ loop: UnsafeMutableRawPointer?) -> Double {
  Unmanaged<LoopBox>.fromOpaque(loop!)._withUnsafeGuaranteedRef { Double($0.loop.time().nanoseconds) / 1e9 }
}

@c @implementation
public func aioswift_loop_mechanism(_ loop: UnsafeMutableRawPointer?) -> UnsafeMutablePointer<CChar>? {
  copied(LoopBox.of(loop!).loop.backendName)
}

@c @implementation
public func aioswift_proactor_refusal() -> UnsafeMutablePointer<CChar>? {
  let detection = ProactorDetection.current
  return detection.isAvailable ? nil : copied("\(detection)")
}
