internal import CAsyncIO

// Everything that leans on what Swift does not promise is in this folder, in `SwiftRuntime.h` with its C file, in
// `Core/Executors/ProcessExecutors.swift`, and in `dispatch_main.c`; ARCHITECTURE.md has the table. The rules:
//
// - A piece of knowledge is written down once, with the source of Swift that it was read from, see ``RuntimeLayout``.
// - It is tried out before its first use, once per process, by looking at a task, an object and a closure of our own.
//   The look costs some microseconds, when the first loop is made.
// - What fails is not used, and neither is anything if `ASYNCIO_RUNTIME_LAYOUT` is 0. The program then does the same,
//   more slowly.
// - What has no other way is said to have none. Such pieces are tried out as well, so that `asyncio doctor` can say
//   that a report of a strange behaviour comes from a strange runtime.

/// A piece of knowledge about the Swift runtime, and whether it is used in this process. `asyncio doctor` prints them.
package enum RuntimeKnowledge: String, CaseIterable, Sendable {
  /// The address of a job has four bits to spare. Without it each job is put into an object of ours.
  case jobWords = "tags in the addresses of jobs"
  /// Where a task keeps its frame. Without it the frame of the next task is not fetched ahead.
  case taskFrames = "frames fetched ahead"
  /// The job of a task is the task. Without it debug mode's reports of slow jobs name no task.
  case jobsOfTasks = "names of slow jobs"
  /// Which word counts references. Without it no handle of a callback is used again.
  case referenceCounts = "handles used again"
  /// Where a closure has its captures. Without it they are not fetched ahead.
  case closureCaptures = "captures fetched ahead"
  /// The runtime's records of cancellation. Without them each operation of a served connection has a handler.
  case cancellationRecords = "one record of cancellation per served connection"
  /// A continuation is an address. Without it the thread sanitizer is told of one address for all of them.
  case continuationAddresses = "addresses of continuations for the thread sanitizer"
  /// Entry points that say which task runs and whether it was cancelled.
  case currentTask = "the current task"
  /// The description of a job says how many tasks there were before. Without it no loop can have the process.
  case jobNumbers = "numbers of jobs"

  /// Whether a piece of knowledge is used, and if not, why.
  package enum State: String, Sendable {
    case inUse = "in use"
    case offByEnvironment = "off by ASYNCIO_RUNTIME_LAYOUT"
    case offBySelfTest = "off, its self-test failed"
    /// Used in any case: there is no other way.
    case alwaysInUse = "in use, has no fallback"
    /// The same, and what was tried out was not as expected.
    case failedInUse = "its self-test failed, has no fallback"
  }

  /// True if there is another way, so that the knowledge can be left unused.
  package var hasFallback: Bool { self != .currentTask && self != .jobNumbers }

  /// Whether it is used in this process. Any thread; the first call tries all of them out.
  package var state: State { Self.states[self]! }

  /// True if it may be leant on.
  var isInUse: Bool { state == .inUse || state == .alwaysInUse }

  /// Try everything out, if that has not happened, and make it known to C. Call it before the first loop is made.
  static func prepare() { _ = states }

  private static let states: [RuntimeKnowledge: State] = {
    let states = findStates(trusted: Environment.trustsRuntimeLayout, layout: RuntimeLayout())
    casyncio_set_boxes_jobs(states[.jobWords] != .inUse)
    return states
  }()

  /// Return what a process finds in which the environment trusts the runtime or does not.
  static func findStates(trusted: Bool, layout: RuntimeLayout) -> [RuntimeKnowledge: State] {
    let seen = RuntimeProbe.look(layout)
    return Dictionary(
      uniqueKeysWithValues: allCases.map { knowledge in
        let holds = knowledge.holds(layout, seen)
        guard knowledge.hasFallback else { return (knowledge, holds ? .alwaysInUse : .failedInUse) }
        return (knowledge, trusted ? holds ? .inUse : .offBySelfTest : .offByEnvironment)
      })
  }

  /// True if what was seen is as the layout says.
  private func holds(_ layout: RuntimeLayout, _ seen: RuntimeProbe.Seen) -> Bool {
    switch self {
    case .jobWords: seen.jobsAreAddresses(alignedTo: layout.jobAlignment)
    case .taskFrames: seen.frameIsWhereItWasExpected
    case .jobsOfTasks: seen.jobIsTask(at: layout.jobWord)
    case .referenceCounts: ReferenceCounts.words(at: layout.countsWord) != nil
    case .closureCaptures: ClosureCaptures.areFound(at: layout.capturesWord)
    case .cancellationRecords: seen.recordWasCalled
    case .continuationAddresses: MemoryLayout<UnsafeContinuation<Void, Never>>.size == layout.continuationSize
    case .currentTask: seen.currentTaskIsTold
    case .jobNumbers: seen.number != nil
    }
  }
}
