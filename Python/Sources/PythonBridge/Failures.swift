import AsyncIO
import CSeam
import SystemPackage

// Errors on their way between Swift and Python.

/// A Python exception that ends the run of a loop: KeyboardInterrupt, SystemExit. The loop's Python object has it.
struct PythonInterrupt: InterruptError {}

/// A Python exception. Reported already, where its code says so.
///
/// Unchecked because the object is touched with the GIL only.
final class PythonError: Error, @unchecked Sendable {
  let exception: UnsafeMutableRawPointer

  /// Take the exception that is set.
  init?() {
    guard let exception = aiopy_take_exception() else { return nil }
    self.exception = exception
  }

  /// Keep an exception of the caller's.
  init(keeping exception: UnsafeMutableRawPointer) {
    aiopy_retain(exception)
    self.exception = exception
  }

  deinit { aiopy_release(exception) }

  /// Return the exception that is set as an error.
  static func current() -> any Error { PythonError() ?? PythonInterrupt() as any Error }
}

/// Call the body with an error in the seam's form; with nil for none.
func withFailure<R>(_ error: (any Error)?, _ body: (UnsafePointer<aiopy_failure>?) -> R) -> R {
  guard let error else { return body(nil) }
  if let error = error as? ConnectError { return withAttempts(error, body) }
  var failure = aiopy_failure()
  let text = fill(&failure, from: error)
  return text.withCString { message in
    failure.message = message
    return withUnsafePointer(to: failure) { body($0) }
  }
}

/// Fill in all but the message, which is returned.
private func fill(_ failure: inout aiopy_failure, from error: any Error) -> String {
  switch error {
  case let error as PythonError:
    failure.kind = Int32(AIOPY_EXCEPTION.rawValue)
    failure.exception = error.exception
    return ""
  case let error as EventLoopError:
    failure.kind = kind(of: error.code)
    return error.description
  case let error as IOError:
    failure.kind = Int32(AIOPY_OS_ERROR.rawValue)
    failure.number = error.errno.rawValue
    return error.description
  case let error as Errno:
    failure.kind = Int32(AIOPY_OS_ERROR.rawValue)
    failure.number = error.rawValue
    return error.description
  case let error as ResolutionError:
    failure.kind = Int32(AIOPY_NAME_ERROR.rawValue)
    return error.reason
  case is CancellationError:
    failure.kind = Int32(AIOPY_CANCELLED.rawValue)
    return "cancelled"
  default: return "\(error)"
  }
}

private func kind(of code: EventLoopError.Code) -> Int32 {
  let kind: aiopy_error =
    switch code {
    case .closed: AIOPY_CLOSED
    case .alreadyRunning: AIOPY_ALREADY_RUNNING
    case .anotherLoopRunning: AIOPY_ANOTHER_RUNNING
    case .wrongThread: AIOPY_WRONG_THREAD
    case .invalidArgument: AIOPY_VALUE_ERROR
    case .notOffered: AIOPY_NOT_OFFERED
    default: AIOPY_RUNTIME_ERROR
    }
  return Int32(kind.rawValue)
}

/// One attempt's error as it is; several as Python's loop lists them.
private func withAttempts<R>(_ error: ConnectError, _ body: (UnsafePointer<aiopy_failure>?) -> R) -> R {
  if error.attempts.count == 1 { return withFailure(error.attempts[0], body) }
  let numbers = error.attempts.map(\.errno.rawValue)
  // The strings live until the end of the call.
  let texts = error.attempts.map { Array($0.description.utf8CString) }
  let places = texts.map { text in
    let place = UnsafeMutablePointer<CChar>.allocate(capacity: text.count)
    place.initialize(from: text, count: text.count)
    return place
  }
  defer { for place in places { place.deallocate() } }
  let messages = places.map { UnsafePointer<CChar>?($0) }
  return numbers.withUnsafeBufferPointer { numbers in
    messages.withUnsafeBufferPointer { messages in
      var failure = aiopy_failure()
      failure.kind = Int32(AIOPY_SEVERAL.rawValue)
      failure.numbers = numbers.baseAddress
      failure.messages = messages.baseAddress
      failure.count = numbers.count
      return withUnsafePointer(to: failure) { body($0) }
    }
  }
}

/// Set the Python exception of an error, and answer as the seam's calls do.
func raise(_ error: any Error) -> Int32 {
  withFailure(error) { aiopy_raise($0) }
  return -1
}

/// Do something that may throw, for a call that answers 0 or -1.
@inline(__always)
func attempt(_ body: () throws -> Void) -> Int32 {
  do {
    try body()
    return 0
  } catch {
    return raise(error)
  }
}
