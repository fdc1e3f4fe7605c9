import ArgumentParser
import AsyncIO
import AsyncIOConformance
import AsyncIOPrograms
import CAsyncIO

/// `asyncio conformance`: holds an event loop to the numbered list of behaviours.
struct ConformanceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "conformance",
    abstract: "Check an event loop against asyncio's behaviour, line by line.",
    discussion: """
      Runs the checks of the conformance list and prints a table: the line, the result, what has to hold, and what was \
      seen. The exit status is 1 if a line fails.
      """
  )

  enum Format: String, CaseIterable { case table, json }

  @OptionGroup var loopOptions: LoopOptions

  @Option(
    parsing: .upToNextOption, help: "Only these lines: --line 32 33.", transform: OptionValue.number(1...180))
  var line: [Int] = []

  @Option(
    parsing: .unconditional, help: "How the report is printed: table, json.", transform: OptionValue.choice(Format.self)
  )
  var format = Format.table

  @Flag(help: "Print the page of the documentation about deliberate differences from CPython, and end.")
  var deviations = false

  @Option(help: ArgumentHelp("Run one check in this process, for the launcher.", visibility: .private))
  var single: String?

  /// Refuse a negative number after `--line`, which takes several words: the parser would take it for another option.
  static func negativeLine(_ words: [String]) -> ValidationError? {
    guard words.first == "conformance" else { return nil }
    var isLine = false
    for word in words {
      if word.hasPrefix("--") { isLine = word == "--line" }
      guard isLine, word.hasPrefix("-"), Double(word) != nil else { continue }
      return ValidationError("The value '\(word)' is invalid for '--line <line>': Give a whole number from 1 to 180.")
    }
    return nil
  }

  func validate() throws {
    for line in line where ConformanceGroup(line: line) == nil {
      throw ValidationError("There is no line \(line). The list has the lines 1 to 180.")
    }
  }

  func run() throws {
    if deviations { return print(ConformanceSuite.deviationsPage) }
    let name = loopOptions.loop ?? "selector"
    let factory: @Sendable () throws -> any EventLoop = { try EventLoopKinds.make(name) }
    if let single { return ConformanceSuite.runInThisProcess(single, factory: factory) }

    let checks = ConformanceSuite.checks.filter { line.isEmpty || line.contains($0.line) }
    let launcher = Self.executable.map { path in
      ConformanceLauncher.program(path) { ["conformance", "--loop", $0, "--single"] }
    }
    let progress = Progress("conformance", total: checks.count, unit: "checks")
    var done = 0
    let report = ConformanceSuite.run(
      loopName: name, checks: checks, launcher: launcher,
      progress: { _ in
        done += 1
        progress.show(done)
      }, factory: factory)
    progress.end()
    switch format {
    case .table:
      print(report.table)
      print("\n\(report.summary)")
    case .json:
      print(report.json)
    }
    if !report.isConforming { throw ExitCode(1) }
  }

  /// This program, to start it again; nil where the system does not say which file it is.
  private static var executable: String? {
    guard let path = casyncio_program() else {
      return CommandLine.arguments.first.flatMap { $0.contains("/") ? $0 : nil }
    }
    defer { free(path) }
    return String(cString: path)
  }
}
