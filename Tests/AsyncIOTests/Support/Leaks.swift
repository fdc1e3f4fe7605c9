import AsyncIO
import POSIX
import Testing

/// What a process holds. Meaningful where nothing else runs: inside an exit test, which has a process of its own.
struct Holdings: Equatable, CustomStringConvertible {
  var counters: [String: Int]
  var descriptors: Int
  var threads: Int

  static var now: Holdings {
    Holdings(
      counters: LiveCounters.snapshot,
      descriptors: entries(of: "/proc/self/fd") { !isForeign(descriptor: target(of: $0)) },
      threads: entries(of: "/proc/self/task") { !isForeign(thread: content(of: "\($0)/comm")) })
  }

  /// Timer descriptors are the platform's, which makes them when it likes; the package has none. Nor does it have
  /// pipes; the thread sanitizer has, once it has looked up a name.
  private static func isForeign(descriptor: String) -> Bool {
    descriptor == "anon_inode:[timerfd]" || (isThreadSanitized && descriptor.hasPrefix("pipe:"))
  }

  /// The workers of the platform's pool, which come and go with the work of all tests; they are named for their class.
  private static func isForeign(thread: String) -> Bool { thread.contains("qos") }

  private static func entries(of path: String, where counts: (String) -> Bool) -> Int {
    guard let directory = opendir(path) else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if counts("\(path)/\(name)") { count += 1 }
    }
    return count
  }

  /// What a symbolic link points to; empty for anything else.
  private static func target(of path: String) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    let count = max(0, readlink(path, &buffer, buffer.count))
    return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// The first bytes of a file; empty if it is gone.
  private static func content(of path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var buffer = [CChar](repeating: 0, count: 256)
    let count = fread(&buffer, 1, buffer.count, file)
    return String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Return whether it holds the same counted things, and no more of what the system counts.
  func isWithin(_ other: Holdings) -> Bool {
    counters == other.counters && descriptors <= other.descriptors && threads <= other.threads
  }

  var description: String { "\(counters), descriptors: \(descriptors), threads: \(threads)" }
}

/// Run the body and expect that the process then holds no more than before. Threads and the last references of
/// tasks may still be on their way out when the body returns, so there is a number of looks before the verdict.
func expectNoLeaks(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
) async rethrows {
  // What ran before this may be on its way out as well, and would hide what the body leaves.
  var before = Holdings.now
  for _ in 0..<10_000 where before.counters.values.contains(where: { $0 != 0 }) {
    await Task.yield()
    before = Holdings.now
  }
  try await body()
  var after = Holdings.now
  for _ in 0..<10_000 where !after.isWithin(before) {
    await Task.yield()
    after = Holdings.now
  }
  // In words as well: the report of a failure in an exit test has only the comment.
  let comment: Comment = "before: \(before); after: \(after)"
  #expect(after.counters == before.counters, comment, sourceLocation: sourceLocation)
  #expect(after.descriptors <= before.descriptors, comment, sourceLocation: sourceLocation)
  #expect(after.threads <= before.threads, comment, sourceLocation: sourceLocation)
}

/// Memory of the process that is in use.
func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var text = [CChar](repeating: 0, count: 128)
  guard fgets(&text, 128, file) != nil else { return 0 }
  let fields = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self).split(separator: " ")
  return (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
}
