internal import CAsyncIO
internal import SystemPackage

/// A program to start, checked, in the form that the system takes. Starting it blocks (the system loads the program
/// before the call returns), so that happens in a thread of a pool.
struct SpawnRequest: Sendable {
  var program: String
  var arguments: [String]
  var environment: [String: String]?
  var workingDirectory: String?
  var input: ChildProcess.Input
  var output: ChildProcess.Output
  var error: ChildProcess.ErrorOutput
  var processGroup: ChildProcess.ProcessGroup
  /// True if the last argument is a command of the shell, which is the program.
  var isCommand = false
  /// True if a thread watches the child, as on systems without process descriptors.
  var watchesByThread = ChildWatching.isByThread

  /// Threads that wait for the system to load programs. More do not make it faster.
  static let pool = ThreadPool(maximumThreads: 4, name: "asyncio spawn", idleTime: .seconds(1))

  // MARK: Checking

  /// Refuse what the system cannot be given, in the order of the parameters.
  func check(_ operation: String) throws(EventLoopError) {
    func refuse(_ what: String, _ value: String, _ fix: String) -> EventLoopError {
      EventLoopError(.invalidArgument, "\(operation): \(what) \(quoted(value)) \(fix)")
    }
    let endsEarly = "has a NUL character, which would end it there. Leave it out."
    if program.isEmpty { throw refuse("the program is", program, "and names nothing. Give a name or a path.") }
    if program.hasNUL { throw refuse("the program", program, endsEarly) }
    for argument in arguments where argument.hasNUL { throw refuse("the argument", argument, endsEarly) }
    for (name, value) in environment ?? [:] {
      if name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) {
        throw refuse("the environment variable", name, "is not a name. Give one that is not empty and has no \"=\".")
      }
      if name.hasNUL { throw refuse("the environment variable", name, endsEarly) }
      if value.hasNUL { throw refuse("the value of the environment variable \(name),", value, endsEarly) }
    }
    if let workingDirectory {
      if workingDirectory.isEmpty { throw refuse("the working directory is", "", "Give a path, or nil for this one.") }
      if workingDirectory.hasNUL { throw refuse("the working directory", workingDirectory, endsEarly) }
    }
    for (stream, number) in [
      ("standardInput", input.descriptor), ("standardOutput", output.descriptor),
      ("standardError", error.descriptor),
    ] {
      if let number, number < 0 {
        throw EventLoopError(.invalidArgument, "\(operation): \(stream) is descriptor \(number). Give an open one.")
      }
    }
  }

  private func quoted(_ text: String) -> String {
    "\"" + text.split(separator: "\0", omittingEmptySubsequences: false).joined(separator: "\\0") + "\""
  }

  // MARK: Searching

  /// Where the program may be: its own path if it has a slash, else in each directory of PATH, the child's if it has
  /// one.
  var candidates: [String] {
    if casyncio_has_directory(program) != 0 { return [program] }
    let given =
      if let environment { environment.first { casyncio_is_path($0.key) != 0 }?.value } else {
        casyncio_environment_variable("PATH").map { String(cString: $0) }
      }
    let path = given ?? String(cString: casyncio_default_path())
    let separator = Character(Unicode.Scalar(UInt8(bitPattern: casyncio_path_separator())))
    return path.split(separator: separator, omittingEmptySubsequences: false).map { directory in
      directory.isEmpty ? program : "\(directory)/\(program)"
    }
  }

  /// Make this a request for the shell, with a command.
  mutating func makeCommand(_ command: String) {
    program = String(cString: casyncio_shell())
    arguments = [String(cString: casyncio_shell_option()), command]
    isCommand = true
  }

  // MARK: Starting

  /// Start the program. Throws ``IOError``; then there is no child and no descriptor is left open.
  func start() throws(IOError) -> SpawnedChild {
    var files = SpawnFiles()
    do throws(IOError) {
      try files.open(self)
      var child = try launch(files)
      files.closeChildSide()
      try watch(&child, &files)
      child.input = files.parent[0]
      child.output = files.parent[1]
      child.error = files.parent[2]
      child.nonBlocking = files.nonBlocking
      return child
    } catch {
      files.closeAll()
      throw error
    }
  }

  private func launch(_ files: borrowing SpawnFiles) throws(IOError) -> SpawnedChild {
    let paths = CStrings(candidates)
    let argv = CStrings([program] + arguments)
    let envp = environment.map { variables in CStrings(variables.map { "\($0.key)=\($0.value)" }) }
    let directory = workingDirectory.map { CStrings([$0]) }
    var request = casyncio_spawn_request(
      candidates: paths.constants, arguments: argv.pointers, environment: envp?.pointers,
      directory: directory?.pointers[0].map { UnsafePointer($0) },
      input: files.child[0], output: files.child[1], error: files.child[2],
      flags: processGroup.flags | (isCommand ? UInt32(CASYNCIO_SPAWN_COMMAND) : 0))
    var process: Int64 = 0
    var step: Int32 = 0
    let status = casyncio_spawn(&request, &process, &step)
    // The pointers into these are used until here.
    withExtendedLifetime((paths, argv, envp, directory)) {}
    guard status == 0 else { throw failure(status, step) }
    return SpawnedChild(process: Int32(truncatingIfNeeded: process), leadsGroup: processGroup.flags != 0)
  }

  private func failure(_ status: Int32, _ step: Int32) -> IOError {
    switch Int(step) {
    case CASYNCIO_SPAWN_STEP_DIRECTORY:
      IOError(result: Int(status), "spawn", "in the working directory \"\(workingDirectory ?? "")\"")
    case CASYNCIO_SPAWN_STEP_DESCRIPTORS: IOError(result: Int(status), "spawn", "with the descriptors that were given")
    default: IOError(result: Int(status), "spawn", "\"\(program)\"")
    }
  }

  /// Get what the loop watches the child by. Without it there is no child.
  private func watch(_ child: inout SpawnedChild, _ files: inout SpawnFiles) throws(IOError) {
    if !watchesByThread, ChildWatching.hasProcessDescriptors {
      child.watch = casyncio_process_open(Int64(child.process))
      child.watchesProcess = child.watch >= 0
      if child.watchesProcess { return }
    }
    var ends: (Int32, Int32) = (-1, -1)
    let status = casyncio_pipe(UInt32(CASYNCIO_PIPE_READ_HERE), &ends.0, &ends.1)
    guard status == 0 else {
      end(child)
      throw IOError(result: Int(status), "spawn", "\"\(program)\"")
    }
    do throws(Errno) {
      try ChildWatching.waitInThread(child.process, thenClose: ends.1)
    } catch {
      end(child)
      closeNumber(ends.0)
      closeNumber(ends.1)
      throw IOError(error, "spawn", "\"\(program)\"")
    }
    child.watch = ends.0
  }

  /// End a child whose end could not be noticed.
  private func end(_ child: SpawnedChild) {
    var end = casyncio_child_end()
    _ = casyncio_process_signal(Int64(child.process), -1, SIGKILL)
    _ = casyncio_process_wait(Int64(child.process), -1, UInt32(CASYNCIO_WAIT_BLOCKING), &end)
  }
}

/// A child that was just started; its descriptors belong to the holder of this.
struct SpawnedChild: Sendable {
  var process: Int32
  var leadsGroup: Bool
  /// This side of its pipes, non-blocking; -1 where there is none.
  var input: Int32 = -1
  var output: Int32 = -1
  var error: Int32 = -1
  /// Descriptors of this process that the child has as they are: non-blocking.
  var nonBlocking: [Int32] = []
  /// Readable when the child has ended.
  var watch: Int32 = -1
  /// True if `watch` is the child's process descriptor.
  var watchesProcess = false
}

/// Whether and how the system reports the ends of children.
package enum ChildWatching {
  /// For tests: children that a task starts are watched by threads.
  @TaskLocal package static var isByThread = false

  /// Asked once: an old system does not have them, and a sandbox may forbid them. A system that is only short of
  /// descriptors or memory has them, and is asked again.
  package static var hasProcessDescriptors: Bool {
    answer.withLock { answer in
      if let answer { return answer }
      let own = casyncio_process_open(casyncio_process_number())
      if [EMFILE, ENFILE, ENOMEM].contains(-own) { return true }
      let isUsable = own >= 0 && casyncio_process_signal(casyncio_process_number(), own, 0) == 0
      closeNumber(own)
      answer = isUsable
      return isUsable
    }
  }

  private static let answer = Lock<Bool?>(nil)

  /// Close the descriptor when the child has ended, and leave its status. Throws if there is no thread.
  static func waitInThread(_ process: Int32, thenClose descriptor: Int32) throws(Errno) {
    try Thread.detach(name: "asyncio child") {
      var end = casyncio_child_end()
      let flags = UInt32(CASYNCIO_WAIT_BLOCKING | CASYNCIO_WAIT_KEEP)
      _ = casyncio_process_wait(Int64(process), -1, flags, &end)
      closeNumber(descriptor)
    }
  }
}
