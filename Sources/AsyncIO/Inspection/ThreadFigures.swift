internal import CAsyncIO
internal import SystemPackage

// What the system says of a thread, from the files that Linux has for each. Elsewhere, and where a sandbox hides them,
// it is unknown.

enum ThreadFigures {
  /// Return what a thread of this process does; nil for number 0.
  static func of(_ thread: Int64) -> InspectionReport.Thread? {
    guard thread != 0 else { return nil }
    let (state, cpu) = figures(text(of: "/proc/self/task/\(thread)/stat"))
    return InspectionReport.Thread(
      number: thread, state: state, cpu: cpu, call: call(text(of: "/proc/self/task/\(thread)/syscall")))
  }

  /// The fields are behind the name, which may have blanks and parentheses in it.
  private static func figures(_ line: String) -> (state: String, cpu: Double?) {
    guard let end = line.lastIndex(of: ")") else { return ("unknown", nil) }
    let fields = line[line.index(after: end)...].split(separator: " ")
    guard fields.count > 12 else { return ("unknown", nil) }
    let ticks = casyncio_ticks_per_second()
    let used = UInt64(fields[11]).flatMap { user in UInt64(fields[12]).map { user &+ $0 } }
    let cpu = ticks > 0 ? used.map { Double($0) / Double(ticks) } : nil
    let state =
      switch fields[0] {
      case "R": "running"
      case "S", "I": "sleeping"
      case "D": "waiting for a device"
      case "T", "t": "stopped"
      default: "unknown"
      }
    return (state, cpu)
  }

  /// Begins with the number of the system call, or is "running".
  private static func call(_ line: String) -> String? {
    guard let number = line.split(separator: " ").first.flatMap({ Int64($0) }), number >= 0 else { return nil }
    return casyncio_call_name(number).map { String(cString: $0) } ?? "system call \(number)"
  }

  /// The first bytes of a file; empty if it cannot be read.
  private static func text(of path: String) -> String {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return "" }
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1024)
    guard let count = try? bytes.withUnsafeMutableBytes({ try file.read(into: $0) }) else { return "" }
    return String(decoding: bytes[..<count], as: UTF8.self)
  }
}
