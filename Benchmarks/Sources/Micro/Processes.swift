// process: starts /bin/true, which inherits the three standard descriptors, and waits for its end.
//
// The wall clock counts: most of the work is the system's and the child's, on whatever core they are. Run it with the
// whole process kept on one core, or the time of the scheduler's moves is what is measured.

import AsyncIO

func startProcesses(_ bench: Bench) throws {
  try bench.measureTask(warmUp: 20) { count in
    for _ in 0..<count {
      let status = try await ChildProcess.spawn("/bin/true").wait()
      precondition(status == .exited(0), "/bin/true ended with \(status)")
    }
  }
}
