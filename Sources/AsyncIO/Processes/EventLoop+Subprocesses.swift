extension EventLoop {
  /// Start a program for a protocol object. Answers `subprocess_exec`.
  ///
  /// Everything is bytes and nothing is buffered: there are no parameters for what asyncio refuses (text, encodings, a
  /// buffer size). All three standard streams are pipes unless other values are given. More about the parameters:
  /// ``ChildProcess/spawn(_:_:environment:workingDirectory:standardInput:standardOutput:standardError:processGroup:)``.
  ///
  /// - Parameters:
  ///   - program: a path, or a name that is looked up in `PATH`.
  ///   - arguments: what follows the program's name.
  ///   - environment: all of the child's environment; nil is this program's.
  ///   - workingDirectory: where the child starts; nil is this program's.
  ///   - standardInput: a pipe, a descriptor, or nothing.
  ///   - standardOutput: a pipe, a descriptor, or nothing.
  ///   - standardError: the same, or where the standard output goes.
  ///   - processGroup: this program's, or one of its own.
  ///   - factory: makes the protocol object, before anything is started; what it throws is thrown here.
  /// - Returns: the transport and the protocol object, which has been told of it.
  /// - Throws: code `wrongThread` outside of the loop's thread; `invalidArgument` for an empty program and for NUL
  ///   characters; ``IOError``, for instance `.noSuchFileOrDirectory`, and then there is no child and no descriptor is
  ///   left open; `CancellationError`, and then the child is killed and its status taken.
  public func subprocessExec<Proto: SubprocessProtocol>(
    _ program: String, _ arguments: [String] = [], environment: [String: String]? = nil,
    workingDirectory: String? = nil, standardInput: ChildProcess.Input = .pipe,
    standardOutput: ChildProcess.Output = .pipe, standardError: ChildProcess.ErrorOutput = .pipe,
    processGroup: ChildProcess.ProcessGroup = .inherit, _ factory: () throws -> Proto
  ) async throws -> (SubprocessTransport, Proto) {
    try await checkpoint()
    let request = SpawnRequest(
      program: program, arguments: arguments, environment: environment, workingDirectory: workingDirectory,
      input: standardInput, output: standardOutput, error: standardError, processGroup: processGroup)
    return try await coreOfThisThread(for: "subprocessExec").subprocess(request, "subprocessExec", factory)
  }

  /// Start a command of the system's shell for a protocol object: `/bin/sh -c`, on Windows `cmd.exe /c`. Never put text
  /// from outside into a command. Answers `subprocess_shell`.
  ///
  /// Parameters and errors are those of
  /// ``subprocessExec(_:_:environment:workingDirectory:standardInput:standardOutput:standardError:processGroup:_:)``.
  public func subprocessShell<Proto: SubprocessProtocol>(
    _ command: String, environment: [String: String]? = nil, workingDirectory: String? = nil,
    standardInput: ChildProcess.Input = .pipe, standardOutput: ChildProcess.Output = .pipe,
    standardError: ChildProcess.ErrorOutput = .pipe, processGroup: ChildProcess.ProcessGroup = .inherit,
    _ factory: () throws -> Proto
  ) async throws -> (SubprocessTransport, Proto) {
    try await checkpoint()
    var request = SpawnRequest(
      program: "", arguments: [], environment: environment, workingDirectory: workingDirectory,
      input: standardInput, output: standardOutput, error: standardError, processGroup: processGroup)
    request.makeCommand(command)
    return try await coreOfThisThread(for: "subprocessShell").subprocess(request, "subprocessShell", factory)
  }
}

extension BaseEventLoop {
  fileprivate final func subprocess<Proto: SubprocessProtocol>(
    _ request: SpawnRequest, _ operation: String, _ factory: () throws -> Proto
  ) async throws -> (SubprocessTransport, Proto) {
    try request.check(operation)
    try requirePipes(operation)
    let proto = try factory()
    let child = try await request.startInPool()
    var ends = [child.input, child.output, child.error]
    defer { for end in ends { closeNumber(end) } }
    // From here on every exit must leave no child behind.
    guard isRunningInThisThread, !Task.isCancelled else {
      let watch = ChildWatch(child, on: self)
      watch.kill()
      await watch.waitToEnd()
      try Task.checkCancellation()
      throw EventLoopError.closed(operation)
    }
    let transport = SubprocessTransport(child, core: self)
    do {
      try transport.connectPipes(&ends)
      try transport.startAll(proto)
      try await transport.made(operation)
      return (transport, proto)
    } catch {
      transport.close()
      await transport.watch.waitToEnd()
      throw error
    }
  }
}
