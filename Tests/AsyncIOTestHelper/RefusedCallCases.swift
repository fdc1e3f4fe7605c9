import AsyncIO
import CAsyncIO
import POSIX

nonisolated(unsafe) let refusedCallCases: [String: () throws -> Void] = [
  "children-without-descriptors": childrenWithoutDescriptors
]

/// The system refuses process descriptors, of all processes or of children. It stays so until the process ends.
private func childrenWithoutDescriptors() throws {
  let own = getenv("REFUSED").map { String(cString: $0) } == "children" ? UInt32(getpid()) : nil
  guard refuseProcessDescriptors(exceptOf: own) else { return fact("is possible", false) }
  fact("is possible", true)
  fact("process descriptors", ChildWatching.hasProcessDescriptors)
  try AsyncIO.run {}
  let before = descriptorCount()
  try AsyncIO.run {
    fact("status", try await ChildProcess.run("sh", ["-c", "exit 7"]).status)
    let result = try await ChildProcess.run("printf", ["hello"], standardOutput: .pipe)
    fact("output", result.text)
    let child = try await ChildProcess.spawn("cat", standardInput: .pipe)
    let number = casyncio_process_open(Int64(child.processIdentifier))
    fact("descriptor of a child", number < 0 ? "refused" : "open")
    try child.kill()
    fact("signal", try await child.wait())
    let closed = try await ChildProcess.spawn("cat", standardInput: .pipe)
    closed.close()
    fact("closed", try await closed.wait())
  }
  var status: Int32 = 0
  fact("children left", waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD ? 0 : 1)
  fact("descriptors left", max(0, descriptorCount() - before))
}

/// Sets a filter of system calls for this thread, and for the threads and processes that it makes from here on.
private func refuseProcessDescriptors(exceptOf process: UInt32?) -> Bool {
  /// One instruction of a filter.
  struct Instruction { var (code, ifTrue, ifFalse, value): (UInt16, UInt8, UInt8, UInt32) }
  struct Filter {
    var count: UInt16
    var instructions: UnsafePointer<Instruction>
  }
  let (load, isEqual, end): (UInt16, UInt16, UInt16) = (0x20, 0x15, 0x06)
  let (refused, allowed): (UInt32, UInt32) = (0x0005_0000 | UInt32(EPERM), 0x7fff_0000)
  // The number of the call, the same on every architecture, then its first argument.
  let instructions = [
    Instruction(code: load, ifTrue: 0, ifFalse: 0, value: 0),
    Instruction(code: isEqual, ifTrue: 0, ifFalse: 3, value: 434),
    Instruction(code: load, ifTrue: 0, ifFalse: 0, value: 16),
    Instruction(code: isEqual, ifTrue: 1, ifFalse: 0, value: process ?? 0),
    Instruction(code: end, ifTrue: 0, ifFalse: 0, value: refused),
    Instruction(code: end, ifTrue: 0, ifFalse: 0, value: allowed),
  ]
  // A function of C with a variable number of arguments, which Swift does not import. Right as these types because all
  // of them are words on the architectures that there are.
  typealias Control = @convention(c) (Int32, UInt, UInt, UInt, UInt) -> Int32
  guard let symbol = dlsym(nil, "prctl") else { return false }
  let control = unsafeBitCast(symbol, to: Control.self)
  let (setNoNewPrivileges, setFilter, filterMode): (Int32, Int32, UInt) = (38, 22, 2)
  guard control(setNoNewPrivileges, 1, 0, 0, 0) == 0 else { return false }
  return instructions.withUnsafeBufferPointer { buffer in
    var filter = Filter(count: UInt16(buffer.count), instructions: buffer.baseAddress!)
    return withUnsafePointer(to: &filter) { control(setFilter, filterMode, UInt(bitPattern: $0), 0, 0) == 0 }
  }
}
