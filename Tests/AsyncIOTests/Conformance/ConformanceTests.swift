import AsyncIOConformance
import SystemPackage
import Testing

@testable import AsyncIO

/// The conformance list, held against every loop kind.
@Suite struct ConformanceTests {
  @Test("every line of the list has a check, or a reason why it needs none")
  func coverage() {
    let checked = Set(ConformanceSuite.checks.map(\.line))
    let without = Set(ConformanceSuite.withoutMeaning.map(\.line))
    for line in 1...180 {
      #expect(checked.contains(line) != without.contains(line), "line \(line)")
    }
    #expect(without.count <= 12)
  }

  @Test("every check has a name of its own")
  func names() {
    #expect(Set(ConformanceSuite.checks.map(\.id)).count == ConformanceSuite.checks.count)
  }

  @Test("the page about deviations is what the checks say")
  func deviations() throws {
    let page =
      #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined()
      + "/Sources/AsyncIO/AsyncIO.docc/Deviations.md"
    let file = try FileDescriptor.open(FilePath(page), .readOnly)
    defer { try? file.close() }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
    #expect(
      String(decoding: bytes.prefix(count), as: UTF8.self) == ConformanceSuite.deviationsPage + "\n",
      "regenerate it: swift run asyncio conformance --deviations > Sources/AsyncIO/AsyncIO.docc/Deviations.md")
  }

  @Test(
    "checks on loops of this package", arguments: ConformanceSuite.checks.map(CheckArgument.init), LoopKind.allCases)
  func conforms(_ argument: CheckArgument, _ kind: LoopKind) async throws {
    await argument.run(on: kind.registeredName) { try kind.makeLoop() }
  }

  /// How many checks run side by side: each takes a thread or two, and some of them have work for a whole core.
  fileprivate static let width = Width(2)
}

/// A check as the argument of a test, which is shown by its line and title.
struct CheckArgument: Sendable, Codable, CustomTestStringConvertible {
  let check: ConformanceCheck

  init(_ check: ConformanceCheck) { self.check = check }

  /// Records an issue if the check fails. One that asks something of its process gets one of its own.
  func run(on loopName: String, _ factory: @escaping @Sendable () throws -> any EventLoop) async {
    let result = await ConformanceTests.width.run {
      if check.surroundings.isEmpty {
        return await ConformanceSuite.run(check, limit: .seconds(60), factory: factory)
      }
      #if os(Linux)
        let launcher = ConformanceLauncher.program(HelperProgram.path) { ["conformance", $0] }
        return await withUnsafeContinuation { continuation in
          startThread {
            continuation.resume(returning: launcher.run(check, loopName: loopName, limit: .seconds(60)))
          }
        }
      #else
        return ConformanceResult(check: check, outcome: .notOffered("no helper program"))
      #endif
    }
    if case .failed = result.outcome { Issue.record("\(result.description)") }
  }

  init(from decoder: any Decoder) throws {
    let id = try decoder.singleValueContainer().decode(String.self)
    check = try #require(ConformanceSuite.check(id))
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(check.id)
  }

  var testDescription: String { "\(check.group.rawValue)\(check.id) \(check.title)" }
}

extension LoopKind {
  /// The name under which programs ask for the kind.
  fileprivate var registeredName: String {
    switch self {
    case .epoll: "selector"
    case .poll: "poll"
    case .proactor: "proactor"
    }
  }
}

/// Lets a limited number of tasks through at a time.
private actor Width {
  private var free: Int
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(_ count: Int) { free = count }

  nonisolated func run<R: Sendable>(_ body: @Sendable () async -> R) async -> R {
    await enter()
    let result = await body()
    await leave()
    return result
  }

  private func enter() async {
    if free > 0 {
      free -= 1
    } else {
      await withCheckedContinuation { waiting.append($0) }
    }
  }

  private func leave() {
    if waiting.isEmpty {
      free += 1
    } else {
      waiting.removeFirst().resume()
    }
  }
}
