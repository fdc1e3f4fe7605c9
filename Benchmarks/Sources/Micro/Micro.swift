// `micro [--loop KIND] [--extent process|scope] WORK N [PORT]`: one work, done N times on a loop of this package, in a
// process of its own. Prints what the measured run took; the programs of the peers print the same.
//
// The traps:
// - A work runs twice and the second run counts: the first one pays for page faults, growing queues and lazy symbols.
// - CPU is that of the whole process. What a runtime does in threads of its own is part of its cost.
// - One work a process: what one leaves behind (a grown heap, a warm allocator) must not help or harm the next.

import AsyncIO
import MicroSupport

@main
enum Micro {
  static func main() {
    do {
      let options = try Options(Array(CommandLine.arguments.dropFirst()))
      let bench = try Bench(options)
      try options.work.run(on: bench)
      try bench.runner.close()
    } catch let error as UsageError {
      end(Status.usage, "micro: \(error.description)\n\(Options.usage)")
    } catch let error as NotOffered {
      end(Status.notOffered, "micro: \(error.description)")
    } catch {
      end(Status.failed, "micro: \(error)")
    }
  }
}

/// The command line makes no sense.
struct UsageError: Error, CustomStringConvertible {
  var description: String
}

/// A work or a loop that is not available here. A comparison leaves the figure out.
struct NotOffered: Error, CustomStringConvertible {
  var description: String
}
