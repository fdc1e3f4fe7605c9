internal import CAsyncIO

/// Prints an error that leaves a program and ends the process with status 1.
func reportAndExit(_ error: any Error) -> Never {
  let line = "error: \(error)\n"
  _ = line.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  exit(1)
}
