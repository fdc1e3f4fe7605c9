import AsyncIO
import POSIX

nonisolated(unsafe) let childCases: [String: () throws -> Void] = [
  "run-children": runChildren,
  "standard-input": readStandardInput,
  "closed-streams": runWithClosedStreams,
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

/// A program that was started without standard input and error: nothing of the library takes their numbers.
private func runWithClosedStreams() throws {
  for number in [STDIN_FILENO, STDERR_FILENO] { close(number) }
  func taken() -> String {
    [STDIN_FILENO, STDERR_FILENO].filter { fcntl($0, F_GETFD) >= 0 }.map { "\($0)" }.joined(separator: ",")
  }
  try AsyncIO.run {
    fact("loop", taken())
    let listener = try await StreamListener.bind(host: "127.0.0.1", port: 0)
    let client = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
    let served = try await listener.accept()
    let another = try await StreamConnection.connect(host: "127.0.0.1", port: listener.port)
    let second = try await listener.accept()
    fact("streams", taken())
    let endpoint = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0)
    let socket = try Socket(family: .ipv4)
    fact("sockets", taken())
    // The directory is opened for the start, and the child's own streams are the program's: closed, or this one's
    // output. The shell makes a pipe meanwhile, which gets the number 0 and may be gone when it is looked at; such a
    // line names no file.
    let child = try await ChildProcess.spawn(
      "sh", ["-c", "ls -l /proc/$$/fd | sed 's/.* \\([0-9]* -> \\)/\\1/' | grep -v pipe: | grep -e '[0-9] -> '; true"],
      workingDirectory: "/", standardOutput: .pipe)
    let (output, _) = try await child.communicate()
    fact("child", String(decoding: output, as: UTF8.self).split(separator: "\n").joined(separator: ";"))
    let piped = try await ChildProcess.spawn("cat", standardInput: .pipe, standardOutput: .pipe, standardError: .pipe)
    fact("pipes", taken())
    piped.close()
    try await piped.wait()
    do { _ = try PipeReader(owning: STDIN_FILENO) } catch let error as IOError {
      fact("input", "\(error)".contains("Bad file descriptor"))
    }
    for connection in [client, served, another, second] { connection.close() }
    endpoint.close()
    socket.close()
    listener.close()
  }
  fact("end", taken())
}
