internal import AsyncIO
internal import CAsyncIO
internal import CConformance

/// A program that a check starts as a child: of the system where it has such programs, else one that the running
/// program plays (play_windows.c has its words).
struct ChildScript {
  let program: String
  let arguments: [String]

  /// Copies its input to its output.
  static let cat = ChildScript(program: "cat", words: "cat")
  /// Ends at once.
  static let nothing = ChildScript(program: "true", words: "exit:0")

  private init(program: String, words: String) {
    self.init(program, [], words)
  }

  /// A script of the shell, or its words.
  init(shell: String, words: String) {
    self.init("sh", ["-c", shell], words)
  }

  private init(_ program: String, _ arguments: [String], _ words: String) {
    if Process.has(CCONFORMANCE_PROGRAMS) {
      self.program = program
      self.arguments = arguments
      return
    }
    let own = casyncio_program()
    self.program = own.map { String(cString: $0) } ?? ""
    self.arguments = ["--play-child"] + words.split(separator: " ").map(String.init)
    free(own)
  }

  /// Start it for a task.
  func spawn(
    standardInput: ChildProcess.Input = .inherit, standardOutput: ChildProcess.Output = .inherit,
    standardError: ChildProcess.ErrorOutput = .inherit, processGroup: ChildProcess.ProcessGroup = .inherit
  ) async throws -> ChildProcess {
    try await ChildProcess.spawn(
      program, arguments, standardInput: standardInput, standardOutput: standardOutput, standardError: standardError,
      processGroup: processGroup)
  }

  /// Run it to its end.
  func run(
    input: [UInt8] = [], standardError: ChildProcess.ErrorOutput = .inherit
  ) async throws -> ChildProcess.Outcome {
    try await ChildProcess.run(program, arguments, input: input, standardError: standardError)
  }
}

extension EventLoop {
  /// Start a script for a protocol object.
  func subprocess<Proto: SubprocessProtocol>(
    _ script: ChildScript, standardOutput: ChildProcess.Output = .pipe,
    standardError: ChildProcess.ErrorOutput = .pipe, _ factory: () throws -> Proto
  ) async throws -> (SubprocessTransport, Proto) {
    try await subprocessExec(
      script.program, script.arguments, standardOutput: standardOutput, standardError: standardError, factory)
  }
}

/// The return code of a child that was killed: the signal's negative number, or the status that Windows gives it.
var killedCode: Int32 { cconformance_killed_code() }
