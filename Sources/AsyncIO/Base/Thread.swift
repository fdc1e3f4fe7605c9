internal import CAsyncIO
package import SystemPackage

/// Threads of the package, named for debuggers. (Foundation's Thread is not used in the library.)
package enum Thread {
  private final class Start {
    let name: String
    let body: () -> Void
    init(_ name: String, _ body: @escaping () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Start a detached thread. Throws the system's error, `.resourceTemporarilyUnavailable` if it has none left to give:
  /// a limit of the user, of the container or of the memory is reached. Then the body is released without a call.
  package static func detach(name: String, _ body: sending @escaping () -> Void) throws(Errno) {
    let start = Unmanaged.passRetained(Start(name, body))
    let status = casyncio_thread_detach({ Thread.begin($0) }, start.toOpaque())
    guard status == 0 else {
      start.release()
      throw refusal(status)
    }
  }

  /// Memory that is missing for a thread counts as a missing thread, for whatever needs the thread.
  private static func refusal(_ status: Int32) -> Errno {
    status == ENOMEM ? .resourceTemporarilyUnavailable : Errno(rawValue: status)
  }

  fileprivate static func start(
    name: String, _ body: sending @escaping () -> Void
  ) throws(Errno) -> UnsafeMutableRawPointer {
    let start = Unmanaged.passRetained(Start(name, body))
    var thread: UnsafeMutableRawPointer?
    let status = casyncio_thread_start({ Thread.begin($0) }, start.toOpaque(), &thread)
    guard status == 0, let thread else {
      start.release()
      throw refusal(status)
    }
    return thread
  }

  private static func begin(_ argument: UnsafeMutableRawPointer) {
    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    casyncio_name_thread(start.name)
    start.body()
  }
}

/// A thread that is waited for, once: the code that makes one must join it.
///
/// The pointer does not change, which is what makes the unchecked conformance right.
final class JoinableThread: @unchecked Sendable {
  private let thread: UnsafeMutableRawPointer

  /// Start the thread. Throws the system's error, `.resourceTemporarilyUnavailable` if it has none left to give.
  init(name: String, _ body: sending @escaping () -> Void) throws(Errno) {
    thread = try Thread.start(name: name, body)
  }

  /// Block until the thread has ended, with everything that belongs to it.
  func join() { casyncio_thread_join(thread) }
}
