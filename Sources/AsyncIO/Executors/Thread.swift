internal import CAsyncIO

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

  /// Starts a detached thread. Traps if the system has no thread left to give: there is nobody to tell.
  package static func detach(name: String, _ body: sending @escaping () -> Void) {
    let start = Unmanaged.passRetained(Start(name, body))
    let status = casyncio_thread_detach({ Thread.begin($0) }, start.toOpaque())
    precondition(status == 0, "no thread for \(name): \(String(cString: strerror(status)))")
  }

  private static func begin(_ argument: UnsafeMutableRawPointer) {
    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    casyncio_name_thread(start.name)
    start.body()
  }
}
