import AsyncAlgorithms
import AsyncIO

/// What swift-async-algorithms has need not be written again: its algorithms take the sequences of this library as any
/// others. The process runs on one loop, so their tasks and their pauses are on it as well.
@main struct Algorithms: AsyncProgram {
  static func run() async throws {
    try await mergedLines()
    try await pacedLines()
    try await batches()
    try await settledValue()
  }

  /// The lines of two children, as they come.
  private static func mergedLines() async throws {
    let words = "for word in read line by line; do echo $0: $word; sleep 0.01; done"
    let one = try await ChildProcess.spawn("sh", ["-c", words, "one"], standardOutput: .pipe)
    let two = try await ChildProcess.spawn("sh", ["-c", words, "two"], standardOutput: .pipe)
    guard let first = one.standardOutput, let second = two.standardOutput else { return }
    for try await line in merge(first.lines, second.lines) { print("merged: \(line)") }
    for child in [one, two] { try await child.wait() }
  }

  /// One word each ten milliseconds: the interval keeps the time, and `zip` waits for both.
  private static func pacedLines() async throws {
    let words = ["no", "faster", "than", "this"].async
    for try await (time, word) in zip(try interval(every: .milliseconds(10)), words) { print("at \(time): \(word)") }
  }

  /// Jobs in batches of three, or of those that are there when the time is over.
  private static func batches() async throws {
    let jobs = Queue<Int>()
    let working = try getRunningLoop().createTask {
      for try await batch in jobs.chunks(ofCount: 3, or: .repeating(every: .milliseconds(50))) {
        print("a batch: \(batch)")
      }
    }
    for job in 1...7 { try await jobs.put(job) }
    try await sleep(for: .milliseconds(80))
    try await jobs.put(8)
    jobs.shutDown()
    try await working.get()
  }

  /// A setting that is saved when it has been left alone for a while, and only if it is another one.
  private static func settledValue() async throws {
    let volume = WatchedValue(5)
    let saving = try getRunningLoop().createTask {
      for try await value in volume.debounce(for: .milliseconds(20)).removeDuplicates() { print("saved: \(value)") }
    }
    for value in [6, 7, 8, 7, 6] {
      volume.value = value
      try await sleep(for: .milliseconds(2))
    }
    try await sleep(for: .milliseconds(60))
    volume.value = 6
    try await sleep(for: .milliseconds(60))
    volume.shutDown()
    try await saving.get()
  }
}
