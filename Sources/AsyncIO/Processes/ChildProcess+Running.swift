extension ChildProcess {
  /// What a program did that was run to its end.
  public struct Outcome: Sendable {
    /// How it ended.
    public let status: TerminationStatus
    /// What it wrote to its standard output; empty if that was not a pipe.
    public let output: [UInt8]
    /// What it wrote to its standard error; empty if that was not a pipe.
    public let error: [UInt8]

    /// The standard output as text.
    public var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// Run a program to its end: start it, feed it, collect what it writes. However this call ends, the child has ended
  /// by then, and nothing is left of it; a cancelled task or an error kills it.
  ///
  /// The parameters are those of
  /// ``spawn(_:_:environment:workingDirectory:standardInput:standardOutput:standardError:processGroup:)`` and
  /// ``communicate(_:limit:)-([UInt8],_)``, and so are the errors. An exit status other than 0 is not an error.
  public static func run(
    _ program: String, _ arguments: [String] = [], input: [UInt8] = [], environment: [String: String]? = nil,
    workingDirectory: String? = nil, standardOutput: Output = .pipe, standardError: ErrorOutput = .inherit,
    processGroup: ProcessGroup = .inherit, limit: Int = .max
  ) async throws -> Outcome {
    try ReadArguments.check(limit: limit, "run")
    let child = try await spawn(
      program, arguments, environment: environment, workingDirectory: workingDirectory, standardInput: .pipe,
      standardOutput: standardOutput, standardError: standardError, processGroup: processGroup)
    return try await child.outcome(input, limit: limit)
  }

  private func outcome(_ input: [UInt8], limit: Int) async throws -> Outcome {
    try await scoped { child in
      do {
        let (output, error) = try await child.communicate(input, limit: limit)
        return Outcome(status: try await child.wait(), output: output, error: error)
      } catch let overrun as LimitOverrunError {
        // The pipes go with the child, and the bytes with them.
        throw LimitOverrunError(limit: overrun.limit, goal: .output)
      }
    }
  }

  /// Run a command of the system's shell to its end: `/bin/sh -c`, on Windows `cmd.exe /c`. Never put text from outside
  /// into a command. See
  /// ``run(_:_:input:environment:workingDirectory:standardOutput:standardError:processGroup:limit:)``.
  public static func run(
    shell command: String, input: [UInt8] = [], environment: [String: String]? = nil,
    workingDirectory: String? = nil, standardOutput: Output = .pipe, standardError: ErrorOutput = .inherit,
    processGroup: ProcessGroup = .inherit, limit: Int = .max
  ) async throws -> Outcome {
    try ReadArguments.check(limit: limit, "run")
    let child = try await spawn(
      shell: command, environment: environment, workingDirectory: workingDirectory, standardInput: .pipe,
      standardOutput: standardOutput, standardError: standardError, processGroup: processGroup)
    return try await child.outcome(input, limit: limit)
  }

  /// Run the body with this child, then close it: a child that still runs is killed. Returns when the child is gone,
  /// even if the body throws or the task is cancelled.
  public func scoped<Value: Sendable>(_ body: (ChildProcess) async throws -> Value) async throws -> Value {
    let result: Result<Value, any Error>
    do { result = .success(try await body(self)) } catch { result = .failure(error) }
    close()
    await watch.waitToEnd()
    return try result.get()
  }
}
