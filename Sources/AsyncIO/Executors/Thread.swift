internal import CAsyncIO

/// Threads of the package, named for debuggers. (Foundation's Thread is not used in the library.)
enum Thread {
  private final class Start {
    let name: String
    let body: () -> Void
    init(_ name: String, _ body: @escaping () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Starts a detached thread. Traps if the system has no thread left to give: there is nobody to tell.
  static func detach(name: String, _ body: sending @escaping () -> Void) {
    let start = Unmanaged.passRetained(Start(name, body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    let status = pthread_create(&thread, &attributes, entry, start.toOpaque())
    precondition(status == 0, "no thread for \(name): \(String(cString: strerror(status)))")
  }

  #if canImport(Darwin)
    private static let entry: @convention(c) (UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? = { begin($0) }
  #else
    private static let entry: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { begin($0!) }
  #endif

  private static func begin(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    casyncio_name_thread(start.name)
    start.body()
    return nil
  }
}
