import ArgumentParser

/// The command `asyncio`.
@main
struct AsyncIOCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "asyncio",
    abstract: "Event loops for Swift: see them run, measure them, check this machine.",
    discussion: """
      Which loop a command uses is decided by a policy: --loop, else the environment variable ASYNCIO_EVENT_LOOP, else
      the platform's default. ASYNCIO_DEBUG=1 turns on debug mode.

      Start with `asyncio demo`.
      """,
    subcommands: [
      DemoCommand.self, EchoCommand.self, ProxyCommand.self, DoctorCommand.self, ConformanceCommand.self,
      SimulateCommand.self,
    ]
  )
}
