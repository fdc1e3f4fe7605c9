import POSIX
import SystemPackage
import Testing

@testable import AsyncIO

/// Every suspending call is a place where a task can be cancelled, whether or not it would have to wait.
@Suite(.timeLimit(.minutes(5)))
struct CheckpointTests {
  @Test("In a cancelled task every call throws, and takes nothing", arguments: LoopKind.allCases)
  func everyCall(kind: LoopKind) async throws {
    try await kind.run { loop in
      let busy = try await Busy.make()
      defer { busy.close() }
      for call in SuspendingCall.all {
        let task = try loopTask { try await call.make(busy) }
        let outcome = await task.result
        #expect(throws: CancellationError.self, "\(call.place)") { try outcome.get() }
      }
      try await busy.expectNothingTaken()
    }
  }

  @Test("So it is for a task that runs elsewhere", arguments: LoopKind.allCases)
  func elsewhere(kind: LoopKind) async throws {
    try await kind.run { _ in
      let busy = try await Busy.make()
      defer { busy.close() }
      for call in SuspendingCall.all where call.worksElsewhere {
        let outcome = await Task.detached { try await call.make(busy) }.result
        #expect(throws: CancellationError.self, "\(call.place)") { try outcome.get() }
      }
      try await busy.expectNothingTaken()
    }
  }

  @Test("A success that came before the cancellation is delivered", arguments: LoopKind.allCases)
  func successComesFirst(kind: LoopKind) async throws {
    try await kind.withPair { near, far in
      let reading = try loopTask { try await near.read(upTo: 10) }
      try await turnUntil { near.isReading }
      try await far.write("data")
      try await turnUntil { !near.isReading || reading.isCancelled }
      reading.cancel()
      #expect(try await reading.value == Array("data".utf8))
    }
  }

  @Test("The table has every suspending call of the public face")
  func complete() throws {
    let named = Set(SuspendingCall.all.map(\.place)).union(SuspendingCall.exceptions.keys)
    let found = try PublicFace.asynchronousFunctions()
    #expect(found.count > 60, "the sources were not found")
    #expect(found.subtracting(named).sorted() == [], "neither in the table nor among the exceptions")
    #expect(named.subtracting(found).sorted() == [], "no such call is there any more")
  }
}

/// The public functions that suspend, as "File.function", read from the sources.
enum PublicFace {
  static func asynchronousFunctions() throws -> Set<String> {
    var found: Set<String> = []
    for source in try sources() {
      for function in functions(in: source.text) { found.insert("\(source.file).\(function)") }
    }
    return found
  }

  /// The sources of the library: the name of each file without its ending, and its text.
  static func sources() throws -> [(file: String, text: String)] {
    let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/") + "/Sources/AsyncIO"
    var found: [(file: String, text: String)] = []
    for room in try entries(of: root) where !room.contains(".") {
      for path in try files(below: "\(root)/\(room)") {
        let file = path.split(separator: "/").last!.dropLast(".swift".count)
        found.append((String(file), try text(of: path)))
      }
    }
    return found
  }

  private static func files(below folder: String) throws -> [String] {
    try entries(of: folder).flatMap { entry -> [String] in
      let path = "\(folder)/\(entry)"
      if entry.hasSuffix(".swift") { return [path] }
      return entry.contains(".") ? [] : try files(below: path)
    }
  }

  private static func entries(of folder: String) throws -> [String] {
    let directory = try #require(opendir(folder), "\(folder)")
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      withUnsafePointer(to: &entry.pointee.d_name) { name in
        name.withMemoryRebound(to: CChar.self, capacity: 256) { names.append(String(cString: $0)) }
      }
    }
    return names.filter { !$0.hasPrefix(".") }.sorted()
  }

  private static func text(of path: String) throws -> String {
    let file = try FileDescriptor.open(FilePath(path), .readOnly)
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 18)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }

  /// Names of public functions whose head, to its brace, says `async` behind its last parenthesis, or that return a
  /// sequence whose steps suspend.
  private static func functions(in text: String) -> [String] {
    var names: [String] = []
    var head = ""
    for line in text.split(separator: "\n") {
      let line = line.drop { $0 == " " }
      if line.hasPrefix("public ") || line.hasPrefix("open "), line.contains("func ") {
        head = ""
      } else if head == "" {
        continue
      }
      head += line + " "
      // A brace inside of the parentheses is that of a default argument.
      guard line.hasSuffix("{") || line.contains("{ "),
        head.count(where: { $0 == "(" }) == head.count(where: { $0 == ")" })
      else { continue }
      if isAsynchronous(head) || head.contains("-> some AsyncSequence"),
        let name = head.split(separator: "func ").dropFirst().first
      {
        names.append(String(name.prefix { $0.isLetter || $0.isNumber }))
      }
      head = ""
    }
    return names
  }

  /// The effects stand behind the parameters: `) async throws -> (A, B) {` has another parenthesis behind them.
  private static func isAsynchronous(_ head: String) -> Bool {
    var depth = 0
    var hasParameters = false
    var effects = ""
    for character in head {
      if character == "{" && depth == 0 { break }
      if character == "(" {
        depth += 1
      } else if character == ")" {
        depth -= 1
        hasParameters = hasParameters || depth == 0
      } else if depth == 0 && hasParameters {
        effects.append(character)
        if effects.hasSuffix("->") { break }
      }
    }
    return effects.contains("async")
  }
}
