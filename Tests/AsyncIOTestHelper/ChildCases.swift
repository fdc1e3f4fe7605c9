import AsyncIO
import Glibc

nonisolated(unsafe) let childCases: [String: () throws -> Void] = [
  "run-children": runChildren,
  "standard-input": readStandardInput,
]

private func runChildren() throws {
  // What a process keeps for its signals is there from its first run on.
  try AsyncIO.run {}
  let before = descriptorCount()
  try AsyncIO.run {
    let child = try await ChildProcess.spawn(shell: "echo one; echo two; echo three; exit 5", standardOutput: .pipe)
    var lines: [String] = []
    for try await line in child.standardOutput!.lines { lines.append(line) }
    fact("lines", lines.joined(separator: ","))
    fact("status", try await child.wait())

    let sleeper = try await ChildProcess.spawn("cat", standardInput: .pipe)
    try getRunningLoop().callSoon { _ = try? sleeper.terminate() }
    fact("signal", try await sleeper.wait())

    // On the main actor and in the pool's place alike: there is one thread.
    let sum = try await withThrowingTaskGroup(of: Int32.self) { group in
      for number in 0..<20 as Range<Int32> {
        group.addTask { try await ChildProcess.run("sh", ["-c", "exit \(number)"]).status.returnCode }
      }
      return try await group.reduce(0, +)
    }
    fact("sum", sum)
  }
  var status: Int32 = 0
  fact("children left", waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD ? 0 : 1)
  fact("descriptors left", max(0, descriptorCount() - before))
}

private func readStandardInput() throws {
  try AsyncIO.run {
    let input = try PipeReader(owning: STDIN_FILENO)
    fact("ready", true)
    fact("line", try await input.readLine() ?? "nothing")
    if getenv("HOW").map({ String(cString: $0) }) == "exit" { exit(0) }
    input.close()
  }
}
