internal import CAsyncIO

/// What the environment variables of the package say now.
enum Environment {
  /// `ASYNCIO_DEBUG`: anything but empty and 0 turns debug mode on for new loops.
  static var debug: Bool {
    guard let value = variable("ASYNCIO_DEBUG") else { return false }
    return value != "0"
  }

  /// `ASYNCIO_EVENT_LOOP`: the loop kind of the default policy; nil if it is not set or empty.
  static var eventLoop: String? { variable("ASYNCIO_EVENT_LOOP") }

  /// `ASYNCIO_IO_URING`: 0 keeps every loop of this process away from io_uring.
  static var allowsRing: Bool { variable("ASYNCIO_IO_URING") != "0" }

  /// `ASYNCIO_DISPATCH_MAIN`: 0 leaves the main queue of Dispatch alone.
  static var servesDispatchMain: Bool { variable("ASYNCIO_DISPATCH_MAIN") != "0" }

  /// `ASYNCIO_RUNTIME_LAYOUT`: 0 uses nothing that Swift does not promise and that has another way.
  static var trustsRuntimeLayout: Bool { variable("ASYNCIO_RUNTIME_LAYOUT") != "0" }

  /// `ASYNCIO_OPENSSL`: the path of the libssl that is used; nil to look for the names under which it is installed.
  static var openSSL: String? { variable("ASYNCIO_OPENSSL") }

  /// `SSLKEYLOGFILE`: the file that gets the secrets of TLS connections, for programs that read recorded traffic.
  static var keyLogFile: String? { variable("SSLKEYLOGFILE") }

  /// `ASYNCIO_INSPECT`: 1 lets the process be inspected, the name of a signal does when that comes; nil if neither.
  static var inspect: String? {
    let value = variable("ASYNCIO_INSPECT")
    return value == "0" ? nil : value
  }

  /// `XDG_RUNTIME_DIR`: where a user's programs have their sockets.
  static var runtimeDirectory: String? {
    variable("XDG_RUNTIME_DIR").flatMap { $0.hasPrefix("/") ? $0 : nil }
  }

  private static func variable(_ name: String) -> String? {
    guard let value = casyncio_environment_variable(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
  }
}
