import AsyncIO
import POSIX

/// Cases that need a process of their own: those about the policy of the process, about its main thread, and about
/// runs that take the whole process over. A case prints facts; what they have to be is in the tests.
@main
enum AsyncIOTestHelper {
  nonisolated(unsafe) static let cases = [
    policyCases, takeOverCases, runCases, interruptCases, lateJobCases, forkCases, childCases, loopsCases,
    loopsEndCases, loopsPortCases, numberCases, unixSocketCases, dispatchCases, limitCases, refusedCallCases,
    tlsExitCases, inspectionCases,
  ]
  .reduce(into: [:]) { $0.merge($1) { first, _ in first } }

  static func main() {
    // A case that hangs must not hang the tests.
    alarm(50)
    mainThread = pthread_self()
    if CommandLine.arguments.dropFirst().first == "conformance" { return runConformanceCheck() }
    guard let name = CommandLine.arguments.dropFirst().first, let body = cases[name] else {
      fatalError("usage: AsyncIOTestHelper \(cases.keys.sorted().joined(separator: "|"))")
    }
    do { try body() } catch { fact("thrown", error) }
  }
}

/// Tell the test something. One write a line, past all buffers: the process may end in any way after it.
func fact(_ name: String, _ value: Any) {
  var line = "\(name)=\(value)\n"
  line.withUTF8 { _ = write(STDOUT_FILENO, $0.baseAddress, $0.count) }
}

/// Tell the code and the text of an error.
func fact(_ name: String, refusalOf body: () throws -> Void) {
  do {
    try body()
    fact(name, "none")
  } catch let error as EventLoopError {
    fact(name, error.code)
    fact("\(name) text", error.description)
  } catch {
    fact(name, error)
  }
}

/// Whether this is the thread that runs `main`.
func isMainThread() -> Bool { pthread_equal(pthread_self(), mainThread) != 0 }

nonisolated(unsafe) private var mainThread = pthread_t()

/// How many threads this process has now.
func threadCount() -> Int { entryCount("/proc/self/task") }

/// How many descriptors this process has open now.
func descriptorCount() -> Int { entryCount("/proc/self/fd") - 1 }

private func entryCount(_ path: String) -> Int {
  guard let directory = opendir(path) else { return -1 }
  defer { closedir(directory) }
  var count = -2  // "." and ".."
  while readdir(directory) != nil { count += 1 }
  return count
}
