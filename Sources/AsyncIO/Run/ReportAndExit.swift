internal import CAsyncIO

/// Print an error that leaves a program, and end the process with status 1.
func reportAndExit(_ error: any Error) -> Never {
  let line = "error: \(error)\n"
  _ = line.utf8.withContiguousStorageIfAvailable { casyncio_write(2, $0.baseAddress, $0.count) }
  exit(1)
}

extension KeyboardInterrupt {
  /// End the process by `SIGINT` with its default action. This is how a program should end on an interrupt that it does
  /// not handle, so that the shell that started it knows.
  public static func endProcess() -> Never {
    casyncio_end_by_signal(SIGINT)
    // Blocked or not, the default action has ended the process.
    exit(130)
  }
}
