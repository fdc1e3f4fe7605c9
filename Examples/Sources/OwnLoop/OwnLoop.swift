// An event loop of one's own, held to the conformance list. Ends with status 1 if a line fails.

import AsyncIO
import AsyncIOConformance

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

@main struct OwnLoop {
  static func main() {
    let factory: @Sendable () throws -> any EventLoop = { SelectorEventLoop(selector: try ListSelector()) }

    // Some checks need a process of their own: this program, started again with the name of a check.
    if let check = CommandLine.arguments.dropFirst().first {
      return ConformanceSuite.runInThisProcess(check, factory: factory)
    }
    let launcher = ConformanceLauncher.program(CommandLine.arguments[0]) { _ in [] }
    let report = ConformanceSuite.run(loopName: "list", launcher: launcher, factory: factory)
    for result in report.results where result.outcome != .passed { print(result.description) }
    print(report.summary)
    if !report.isConforming { exit(1) }
  }
}
