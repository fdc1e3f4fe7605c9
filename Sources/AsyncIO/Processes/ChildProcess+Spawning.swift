internal import CAsyncIO

extension ChildProcess {
  /// Where a child reads its standard input from.
  public enum Input: Hashable, Sendable {
    /// From this program, by ``ChildProcess/standardInput``.
    case pipe
    /// From this program's own standard input.
    case inherit
    /// From nothing: the stream has ended.
    case null
    /// From a descriptor, which stays the caller's and open until the child was started. A socket is made blocking.
    case descriptor(Int32)

    var descriptor: Int32? { if case .descriptor(let number) = self { number } else { nil } }
  }

  /// Where a child writes its standard output to.
  public enum Output: Hashable, Sendable {
    /// To this program, by ``ChildProcess/standardOutput``.
    case pipe
    /// To this program's own standard output.
    case inherit
    /// Nowhere.
    case null
    /// To a descriptor, which stays the caller's and open until the child was started. A socket is made blocking.
    case descriptor(Int32)

    var descriptor: Int32? { if case .descriptor(let number) = self { number } else { nil } }
  }

  /// Where a child writes its errors to.
  public enum ErrorOutput: Hashable, Sendable {
    /// To this program, by ``ChildProcess/standardError``.
    case pipe
    /// To this program's own standard error.
    case inherit
    /// Nowhere.
    case null
    /// To a descriptor, which stays the caller's and open until the child was started. A socket is made blocking.
    case descriptor(Int32)
    /// To where its standard output goes.
    case output

    var descriptor: Int32? { if case .descriptor(let number) = self { number } else { nil } }
  }

  /// Which process group a child is in: the signals of a terminal (Ctrl-C) go to a group.
  public enum ProcessGroup: Hashable, Sendable {
    /// This program's.
    case inherit
    /// A new group of its own. Closing the child then ends the group, and with it everything that the child has
    /// started, even if the child has ended before.
    case new
    /// A new group in a new session, without a terminal. Closing the child then ends the group.
    case newSession

    var flags: UInt32 {
      switch self {
      case .inherit: 0
      case .new: UInt32(CASYNCIO_SPAWN_NEW_GROUP)
      case .newSession: UInt32(CASYNCIO_SPAWN_NEW_SESSION)
      }
    }
  }

  /// This program's environment, as a starting point. Variables that are not UTF-8 are left out; a child that inherits
  /// the environment has them.
  public static var inheritedEnvironment: [String: String] {
    var variables: [String: String] = [:]
    var next = casyncio_environment()
    while let entry = next?.pointee {
      next = next?.advanced(by: 1)
      guard let text = String(validatingCString: entry), let mark = text.firstIndex(of: "=") else { continue }
      // Windows keeps the directories of its drives there, under names that nobody may set.
      guard mark != text.startIndex else { continue }
      variables[String(text[..<mark])] = String(text[text.index(after: mark)...])
    }
    return variables
  }

  /// Start a program on the running loop. Answers `create_subprocess_exec`.
  ///
  /// The child starts with no signal blocked, with SIGPIPE at its default action, and with no descriptors but the three
  /// standard ones. The loop goes on while the system loads the program.
  ///
  /// - Parameters:
  ///   - program: a path, or a name without a slash, which is looked up in PATH: in that of `environment` if one is
  ///     given, as asyncio does. A relative path is relative to the working directory of the child.
  ///   - arguments: those after the name of the program. There is no shell, so nothing has a special meaning.
  ///   - environment: all of the child's variables; nil for those of this program.
  ///   - workingDirectory: nil for that of this program.
  ///   - standardInput: where it reads from; by default from where this program reads.
  ///   - standardOutput: where it writes to; by default to where this program writes.
  ///   - standardError: where its errors go; `.output` is where its standard output goes.
  ///   - processGroup: which processes get the signals of the terminal, and what ends with the child.
  /// - Throws: code `invalidArgument` for an empty program and for NUL characters; ``IOError``, for instance
  ///   `.noSuchFileOrDirectory`, `.permissionDenied`, `.argListTooLong`, or `.resourceTemporarilyUnavailable` if the
  ///   system has no thread or process left, and then there is no child and no descriptor is left open;
  ///   `CancellationError`, and then a child that was already started is killed and its status taken; code
  ///   `noRunningLoop` outside of a loop's thread.
  public static func spawn(
    _ program: String, _ arguments: [String] = [], environment: [String: String]? = nil,
    workingDirectory: String? = nil, standardInput: Input = .inherit, standardOutput: Output = .inherit,
    standardError: ErrorOutput = .inherit, processGroup: ProcessGroup = .inherit
  ) async throws -> ChildProcess {
    let request = SpawnRequest(
      program: program, arguments: arguments, environment: environment, workingDirectory: workingDirectory,
      input: standardInput, output: standardOutput, error: standardError, processGroup: processGroup)
    return try await request.spawn("ChildProcess.spawn")
  }

  /// Start a command of the system's shell on the running loop: `/bin/sh -c`, on Windows `cmd.exe /c`. The shell gives
  /// meaning to spaces, quotes, `$`, `;` and more: never put text from outside into a command. Answers
  /// `create_subprocess_shell`.
  ///
  /// What a shell has started goes on when the shell is killed, unless it has its own `processGroup`.
  ///
  /// Parameters and errors are those of
  /// ``spawn(_:_:environment:workingDirectory:standardInput:standardOutput:standardError:processGroup:)``.
  public static func spawn(
    shell command: String, environment: [String: String]? = nil, workingDirectory: String? = nil,
    standardInput: Input = .inherit, standardOutput: Output = .inherit, standardError: ErrorOutput = .inherit,
    processGroup: ProcessGroup = .inherit
  ) async throws -> ChildProcess {
    var request = SpawnRequest(
      program: "", arguments: [], environment: environment, workingDirectory: workingDirectory,
      input: standardInput, output: standardOutput, error: standardError, processGroup: processGroup)
    request.makeCommand(command)
    return try await request.spawn("ChildProcess.spawn")
  }
}

extension SpawnRequest {
  /// Start the child on the running loop.
  func spawn(_ operation: String) async throws -> ChildProcess {
    try await checkpoint()
    let core = try runningCore(operation)
    try check(operation)
    try core.requirePipes(operation)
    let child = try ChildProcess(try await startInPool(), on: core)
    if !Task.isCancelled && !core.isClosed { return child }
    // The caller does not get the child, so the child is killed, and the caller goes on when it is gone.
    child.close()
    await child.watch.waitToEnd()
    try Task.checkCancellation()
    throw EventLoopError.closed(operation)
  }

  /// Start the child in the pool. The await ends with the start, whatever happens meanwhile: an unknown child could not
  /// be reaped.
  func startInPool() async throws -> SpawnedChild {
    try await withUnsafeContinuation { (started: UnsafeContinuation<Result<SpawnedChild, IOError>, Never>) in
      let answer = Self.pool.add {
        do throws(IOError) {
          started.resume(returning: .success(try start()))
        } catch {
          started.resume(returning: .failure(error))
        }
      }
      switch answer {
      case .taken: break
      case .noThread(let error): started.resume(returning: .failure(IOError(error, "spawn", "\"\(program)\"")))
      case .isShutDown: preconditionFailure("the pool for starting programs is never shut down")
      }
    }.get()
  }
}
