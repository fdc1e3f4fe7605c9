import AsyncIO

/// Runs a program and reads its lines as they come, then says how it ended.
@main struct ChildLines: AsyncProgram {
  static func run() async throws {
    let child = try await ChildProcess.spawn(
      shell: "for word in read line by line; do echo $word; sleep 0.1; done; exit 3", standardOutput: .pipe)
    if let output = child.standardOutput {
      for try await line in output.lines { print("child \(child.processIdentifier) says: \(line)") }
    }
    print("the child \(try await child.wait())")

    // In one call, with input; the child is gone when it returns, however it returns.
    let sorted = try await ChildProcess.run("sort", ["-r"], input: Array("a\nc\nb\n".utf8))
    print(sorted.text.split(separator: "\n").joined(separator: " "))
  }
}
