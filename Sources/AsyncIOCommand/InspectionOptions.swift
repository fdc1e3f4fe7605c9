import ArgumentParser
import AsyncIO
import AsyncIOPrograms

/// Which process is looked at, and how it is shown.
struct InspectionOptions: ParsableArguments {
  enum Format: String, CaseIterable { case text, json }

  @Argument(help: "The number of the process, or unix: and the path of its socket.")
  var process: String

  @Option(
    parsing: .unconditional, help: "text, or json for programs.", transform: OptionValue.choice(Format.self))
  var format = Format.text

  @Option(parsing: .unconditional, help: "The most entries of a list.", transform: OptionValue.number(1...10_000))
  var limit = 1000

  /// Print one report.
  func show(_ text: @escaping @Sendable (InspectionReport) -> String) throws {
    let (process, format, limit) = (try inspected, format, limit)
    try Self.run {
      let json = try await process.fetch(limit: limit)
      let report = try InspectedProcess.read(json, process.name)
      print(format == .json ? json : text(report))
    }
  }

  /// The process. Throws ``InspectionError``.
  var inspected: InspectedProcess {
    get throws { try InspectedProcess(process) }
  }

  /// Run the body on a loop of its own.
  static func run(_ body: @escaping @Sendable () async throws -> Void) throws {
    do {
      try AsyncIO.run { try await body() }
    } catch is KeyboardInterrupt {
      KeyboardInterrupt.endProcess()
    }
  }
}

/// `asyncio ps`: the tasks of a process. Answers `python -m asyncio ps`.
struct PsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ps",
    abstract: "List the loops and tasks of a running process.",
    discussion: """
      The process has to offer it: start it with ASYNCIO_INSPECT=1, or with ASYNCIO_INSPECT=SIGUSR2 and send it that \
      signal, or call Inspection.offer() in it. A loop that hangs is shown with what it hangs in.
      """)

  @OptionGroup var options: InspectionOptions

  func run() throws { try options.show { InspectionText.tasks($0) } }
}

/// `asyncio pstree`: which task waits for which. Answers `python -m asyncio pstree`.
struct PstreeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pstree",
    abstract: "Show which task of a running process waits for which.",
    discussion: "Tasks stand below those that await them. See `asyncio help ps` for how a process offers it.")

  @OptionGroup var options: InspectionOptions

  func run() throws { try options.show { InspectionText.tree($0) } }
}
