import ArgumentParser
import CAsyncIO

/// `asyncio simulate`: hands over to the program of the simulations.
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Run this library in simulated worlds, many seeds of them.",
    discussion: """
      Runs the program asyncio-simulate, which is built and installed beside this one: a program that links the \
      simulation has its clock and its hashing taken over, and a server should not. All arguments are handed on; see \
      asyncio simulate --help.
      """,
    helpNames: []
  )

  @Argument(parsing: .captureForPassthrough, help: .hidden)
  var arguments: [String] = []

  func run() throws {
    let path = Self.programPath
    var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    execv(path, &words)
    let reason = String(cString: strerror(casyncio_errno()))
    throw ValidationError(
      "simulate: \(path) cannot be run: \(reason). Build it with `swift build --product asyncio-simulate`.")
  }

  /// Beside this program.
  private static var programPath: String {
    ownPath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
      + "/asyncio-simulate"
  }
}
