import ArgumentParser
import AsyncIOPrograms

/// The command `asyncio`.
@main
struct AsyncIOCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "asyncio",
    abstract: "Event loops for Swift: see them run, measure them, check this machine.",
    discussion: """
      Which loop a command uses is decided by a policy: --loop, else the environment variable ASYNCIO_EVENT_LOOP, else \
      the platform's default. ASYNCIO_DEBUG=1 turns on debug mode.

      Start with `asyncio demo`.
      """,
    version: Version.current,
    subcommands: [
      DemoCommand.self, EchoCommand.self, ProxyCommand.self, DoctorCommand.self, ConformanceCommand.self,
      SimulateCommand.self, PsCommand.self, PstreeCommand.self, TopCommand.self, InspectCommand.self,
    ]
  )

  static func main() {
    let words = Array(CommandLine.arguments.dropFirst())
    if let error = unknownTopic(words) ?? ConformanceCommand.negativeLine(words) { exit(withError: error) }
    main(nil)
  }

  /// Refuse `help` with an unknown command. The parser's own `help` would show the overview, as if all were well.
  private static func unknownTopic(_ words: [String]) -> ValidationError? {
    guard words.first == "help" else { return nil }
    let known = configuration.subcommands.map { $0._commandName }
    let topics = words.dropFirst().filter { !$0.hasPrefix("-") }
    guard let wrong = topics.first(where: { !known.contains($0) && $0 != "help" }) else { return nil }
    return ValidationError("There is no command \"\(wrong)\". Commands are: \(known.joined(separator: ", ")).")
  }
}
