internal import CAsyncIO
internal import Synchronization

// What only the loop's own thread may look at: its descriptors, timers and queue. The thread copies what it finds,
// within limits, in microseconds; everything that costs system calls happens to the copies in the thread that asked.
// The traps:
//
// - A loop that hangs never comes to it. So the asking thread waits for a limited time, and what comes later is
//   dropped.
// - A descriptor may be closed between the copy and its use, and its number be another file's. So the copy holds the
//   descriptor, and a number is used under the loop's lock for that.

/// What a loop's thread has seen of the loop at one moment.
struct LoopInterior: Sendable {
  struct Descriptor: Sendable {
    let descriptor: IODescriptor
    /// The tasks that wait to read and to write, as far as they are known by their addresses.
    var reader: UInt?
    var writer: UInt?
    var isReading: Bool
    var isWriting: Bool
    var isWatch: Bool
    var tls: String?
  }

  struct Timer: Sendable {
    var deadline: Int64
    var what: String
    var place: CallSite?
    var task: UInt?
  }

  var descriptors: [Descriptor] = []
  var descriptorCount = 0
  var timers: [Timer] = []
  var timerCount = 0
  /// The jobs in the queue.
  var ready: Set<UInt> = []

  /// Look, in the loop's thread.
  init(_ loop: BaseEventLoop, limit: Int) {
    loop.assertLoopThread()
    loop.backend.forEachAttached { descriptor in
      descriptorCount += 1
      if descriptors.count < limit { descriptors.append(Descriptor(descriptor, loop.backend)) }
    }
    timerCount = loop.timers.count
    loop.timers.forEachEarliest(min(limit, Self.mostTimers)) { word, deadline in timers.append(Timer(word, deadline)) }
    ready = loop.ready.jobAddresses(Self.mostJobs)
  }

  private static var mostJobs: Int { 4096 }
  private static var mostTimers: Int { 1000 }
}

extension LoopInterior.Descriptor {
  fileprivate init(_ descriptor: IODescriptor, _ backend: any IOBackend) {
    let link = descriptor.layer as? TLSLink
    // The user's operations are the link's, if there is one.
    let parked = backend.parked(on: descriptor)
    let reading = link == nil ? parked.reading : link?.reader?.takeUnretainedValue()
    let writing = link == nil ? parked.writing : link?.writer?.takeUnretainedValue()
    self.descriptor = descriptor
    reader = reading?.continuation?.taskIdentity
    writer = writing?.continuation?.taskIdentity
    isReading = reading != nil
    isWriting = writing != nil
    isWatch = descriptor.isWatch
    tls = link.map { _ in "TLS" }
  }
}

extension LoopInterior.Timer {
  fileprivate init(_ word: LoopWord, _ deadline: Int64) {
    self.deadline = deadline
    switch word.tag {
    case .handle:
      what = "a callback"
      place = word.unmanaged(TimerHandle.self)._withUnsafeGuaranteedRef { $0.site }
    case .token: what = "a callback"
    case .node: (what, task) = word.unmanaged(TimerNode.self)._withUnsafeGuaranteedRef { $0.inspected }
    default: (what, task) = ("a sleep by the runtime", word.jobAddress)
    }
  }
}

/// One look at several loops at once, each in its own thread, by a thread that waits for all of them together.
///
/// Everything is under the monitor, which is what makes the unchecked conformance right.
final class InteriorCall: @unchecked Sendable {
  private let monitor = Monitor()
  private var answers: [Int: LoopInterior] = [:]
  private var isOver = false

  /// Return what the loops say until a time in monotonic nanoseconds, by their numbers. A loop that does not run says
  /// nothing.
  func look(_ gauges: [LoopGauge], limit: Int, until deadline: Int64) -> [Int: LoopInterior] {
    var asked = 0
    // A simulation takes no posts from threads outside of its world.
    for gauge in gauges where gauge.withRunningLoop({ $0.turnObserver == nil }) == true {
      // A loop that hangs keeps one question, however often it is asked.
      guard gauge.beginQuestion() else { continue }
      let isPosted = gauge.intake.post(
        PostedAction { [self, gauge] loop in
          gauge.endQuestion()
          // Nobody waits for it any more.
          if monitor.locked({ isOver }) { return }
          let interior = LoopInterior(loop, limit: limit)
          monitor.locked {
            if !isOver { answers[gauge.number] = interior }
            monitor.signal()
          }
        } dropped: {
          gauge.endQuestion()
        }, .action)
      if isPosted { asked += 1 } else { gauge.endQuestion() }
    }
    return monitor.locked {
      while answers.count < asked, monitor.wait(until: deadline) {}
      isOver = true
      defer { answers = [:] }
      return answers
    }
  }
}
