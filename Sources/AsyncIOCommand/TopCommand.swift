import ArgumentParser
import AsyncIO
import AsyncIOPrograms
import CAsyncIO

/// `asyncio top`: a table of a process that lives.
struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Watch the loops of a running process.",
    discussion: """
      On a terminal the screen is drawn anew each time; elsewhere one table follows the other, and with --format json \
      one report a line. Ends with Ctrl-C. See `asyncio help ps` for how a process offers it.
      """)

  @OptionGroup var options: InspectionOptions

  @Option(
    parsing: .unconditional, help: "Seconds from one look to the next.", transform: OptionValue.seconds(0.1...3600))
  var interval = 1.0

  @Option(
    parsing: .unconditional, help: "How often to look; until Ctrl-C without it.",
    transform: OptionValue.number(1...1_000_000))
  var count = Int.max

  func run() throws {
    let (process, format, limit, interval, count) = (
      try options.inspected, options.format, options.limit, interval, count
    )
    let isScreen = format == .text && isatty(STDOUT_FILENO) != 0
    try InspectionOptions.run {
      var top = InspectionTop()
      // The terminal has what it had before when this ends, however it ends.
      if isScreen { printNow("\u{1b}[?1049h\u{1b}[?25l") }
      defer { if isScreen { printNow("\u{1b}[?25h\u{1b}[?1049l") } }
      for number in 0..<count {
        if number > 0 { try await sleep(seconds: interval) }
        let json = try await process.fetch(limit: limit)
        guard format == .text else {
          announce(json)
          continue
        }
        let rows = isScreen ? max(4, Int(casyncio_terminal_rows(STDOUT_FILENO)) - 1) : 24
        let lines = top.screen(try InspectedProcess.read(json, process.name), rows: rows)
        if isScreen {
          printNow("\u{1b}[H" + lines.map { "\($0)\u{1b}[K\n" }.joined() + "\u{1b}[J")
        } else {
          announce(lines.joined(separator: "\n") + "\n")
        }
      }
    }
  }
}
