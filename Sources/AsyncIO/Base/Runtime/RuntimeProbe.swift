internal import CAsyncIO
internal import Synchronization

// A task of our own, to look at. It has an executor of its own, which only keeps the job until it is asked for, so it
// begins, suspends and goes on where the look is taken, in one thread, and nothing of the process is touched: not its
// default executors, and not the task in which the look is taken. The one trace of it is a number: the runtime numbers
// tasks, and the take-over of the process asks whether there was a task before. So the looks are counted.
//
// The task keeps a mark in its frame, and says where: the frame is found if the word that refers to it leads to the
// neighbourhood of the mark. It suspends by a continuation, as tasks do that wait for an operation.

/// Looks at a task that does nothing but be looked at.
///
/// The unchecked conformance is right because the task runs where the look is taken, in one thread.
final class RuntimeProbe: TaskExecutor, @unchecked Sendable {
  /// What was seen.
  struct Seen {
    /// The jobs that the task brought: to begin, and to go on.
    var jobs: [UInt] = []
    /// Which task each step said was running.
    var tasks: [UInt] = []
    /// Whether each step found its task cancelled; it was, in between.
    var cancelled: [Bool] = []
    /// Where the mark in the frame was, in each step.
    var marks: [UInt] = []
    /// The word of the suspended task that should lead to its frame.
    var frame: UInt = 0
    /// What the record of cancellation was given, and what it was made with.
    var argument: UInt = 0
    var expectedArgument: UInt = 0
    /// The number of the task, the same in both descriptions of its job.
    var number: Int?
    /// True if the second step was the last.
    var hasEnded = false
  }

  /// How far the mark may be from where the context is: as far as is fetched ahead.
  private static let reach: UInt = 768
  /// How many looks were taken in this process.
  private static let looks = Atomic<Int>(0)

  private var seen = Seen()
  private var numbers: [Int?] = []
  private var job: UnownedJob?
  private var continuation: UnsafeContinuation<Void, Never>?

  func enqueue(_ job: consuming ExecutorJob) {
    numbers.append(Self.number(in: job.description))
    let unowned = UnownedJob(job)
    seen.jobs.append(Self.word(of: unowned))
    self.job = unowned
  }

  /// Look at a task. Any thread, in a task or not.
  static func look(_ layout: RuntimeLayout) -> Seen {
    looks.add(1, ordering: .relaxed)
    let probe = RuntimeProbe()
    probe.seen.expectedArgument = UInt(bitPattern: Unmanaged.passUnretained(probe).toOpaque())
    let task = Task(executorPreference: probe) { await probe.be(looked: layout) }
    guard probe.runJob(), let address = probe.seen.jobs.first, let continuation = probe.continuation else {
      return probe.seen
    }
    if MemoryLayout<UnownedJob>.size == MemoryLayout<UInt>.size, let task = UnsafeRawPointer(bitPattern: address) {
      probe.seen.frame = task.load(fromByteOffset: layout.frameWord * 8, as: UInt.self)
    }
    task.cancel()
    probe.seen.argument = casyncio_probed_argument()
    continuation.resume()
    probe.seen.hasEnded = probe.runJob() && !probe.runJob()
    if let number = probe.numbers.first, probe.numbers == [number, number] { probe.seen.number = number }
    return probe.seen
  }

  /// True if no task ran in this process before this call; nil if the runtime does not tell.
  static func isRuntimeUntouched() -> Bool? {
    let number = look(RuntimeLayout()).number
    return number.map { $0 == looks.load(ordering: .relaxed) }
  }

  private func runJob() -> Bool {
    guard let job else { return false }
    self.job = nil
    job.runSynchronously(on: asUnownedTaskExecutor())
    return true
  }

  /// The body of the task. The record is the last thing that it adds before it suspends, and the first that it removes.
  private func be(looked layout: RuntimeLayout) async {
    var mark = UInt(layout.frameWord)
    note(&mark)
    let record = casyncio_add_probe(seen.expectedArgument &+ UInt(bitPattern: layout.argumentDistance))
    await withUnsafeContinuation { continuation = $0 }
    casyncio_remove_cancellation(record)
    note(&mark)
  }

  /// Note one step. Not inlined, so that the mark has an address.
  @inline(never)
  private func note(_ mark: UnsafeMutablePointer<UInt>) {
    mark.pointee &+= 1
    seen.marks.append(UInt(bitPattern: mark))
    let task = casyncio_current_task()
    seen.tasks.append(UInt(bitPattern: task))
    if let task { seen.cancelled.append(casyncio_is_task_cancelled(task)) }
  }

  /// The bits of a job, as far as they go into a word.
  private static func word(of job: UnownedJob) -> UInt {
    withUnsafeBytes(of: job) { bytes in
      bytes.count < MemoryLayout<UInt>.size ? 0 : bytes.loadUnaligned(as: UInt.self)
    }
  }

  /// The number in "ExecutorJob(id: 12)".
  static func number(in description: String) -> Int? {
    let parts = description.split(separator: "ExecutorJob(id: ", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].isEmpty, parts[1].last == ")" else { return nil }
    return Int(parts[1].dropLast())
  }
}

extension RuntimeProbe.Seen {
  /// True if the jobs were addresses, a word each, with that alignment.
  func jobsAreAddresses(alignedTo alignment: Int) -> Bool {
    MemoryLayout<UnownedJob>.size == MemoryLayout<UInt>.size && hasEnded && jobs.count == 2
      && jobs.allSatisfy { $0 != 0 && $0 % UInt(alignment) == 0 }
  }

  /// True if the word led to the mark's neighbourhood.
  var frameIsWhereItWasExpected: Bool {
    guard hasEnded, marks.count == 2, marks[0] == marks[1] else { return false }
    return max(frame, marks[0]) - min(frame, marks[0]) < RuntimeProbe.reach
  }

  /// True if the task was told twice, the same one, and its cancellation was seen.
  var currentTaskIsTold: Bool {
    hasEnded && tasks.count == 2 && tasks[0] != 0 && tasks[0] == tasks[1] && cancelled == [false, true]
  }

  /// True if the task that ran was that many words behind its job.
  func jobIsTask(at word: Int) -> Bool {
    currentTaskIsTold && jobs.count == 2 && jobs.allSatisfy { $0 &+ UInt(word * 8) == tasks[0] }
  }

  /// True if the cancellation called the record's function with the record's argument.
  var recordWasCalled: Bool { hasEnded && argument == expectedArgument }
}
