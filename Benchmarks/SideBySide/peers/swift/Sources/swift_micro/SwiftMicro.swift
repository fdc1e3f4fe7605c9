// The micro works on Swift's own runtime: tasks on its pool, Task.sleep for timers, swift-subprocess for child
// processes: `swift_micro WORK N`.
//
// - It has no callbacks to queue, no loop to wake and no sockets.
// - Timers are detached tasks that sleep. A task group would find the child that ended by walking the list of its
//   children, which is quadratic in their number.
// - Everything is in a `@concurrent` function: on the main actor each await would also be a trip to the main thread.

import MicroSupport
import Subprocess
import Synchronization

private func spawn(_ count: Int) async {
  var sum = 0
  for _ in 0..<count { sum += await Task.detached { 1 }.value }
  precondition(sum == count)
}

private func yieldOften(_ count: Int) async {
  for _ in 0..<count { await Task.yield() }
}

private actor Counter {
  private(set) var calls = 0
  func call() { calls += 1 }
}

private func callActor(_ count: Int) async {
  let counter = Counter()
  for _ in 0..<count { await counter.call() }
  let calls = await counter.calls
  precondition(calls == count)
}

/// What resumes is another task: there are no callbacks.
private func resumeContinuation(_ count: Int) async {
  for _ in 0..<count {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      Task.detached { continuation.resume() }
    }
  }
}

private func sleepZero(_ count: Int) async {
  for _ in 0..<count { try? await Task.sleep(for: .zero) }
}

private func cancelTimers(_ count: Int) async {
  var random = Random()
  var timers: [Task<Void, Never>] = []
  timers.reserveCapacity(count)
  for _ in 0..<count {
    let delay = random.longMilliseconds()
    timers.append(Task.detached { try? await Task.sleep(for: .milliseconds(delay)) })
  }
  for timer in timers { timer.cancel() }
  for timer in timers { await timer.value }
}

private func fireTimers(_ count: Int) async {
  final class Left: Sendable {
    let count: Atomic<Int>
    init(_ count: Int) { self.count = Atomic(count) }
  }
  let left = Left(count)
  await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
    var random = Random()
    for _ in 0..<count {
      let delay = random.next(below: 1_000_000_000)
      Task.detached {
        try? await Task.sleep(for: .nanoseconds(delay))
        if left.count.subtract(1, ordering: .relaxed).newValue == 0 { continuation.resume() }
      }
    }
  }
}

private func startProcesses(_ count: Int) async throws {
  for _ in 0..<count {
    let result = try await Subprocess.run(
      .path("/bin/true"), input: .currentStandardInput, output: .currentStandardOutput, error: .currentStandardError)
    precondition(result.terminationStatus.isSuccess)
  }
}

@concurrent
private func run(_ arguments: PeerArguments) async throws {
  let count = arguments.count
  switch arguments.work {
  case "spawn": await measure(count, spawn)
  case "yield": await measure(count, yieldOften)
  case "actor": await measure(count, callActor)
  case "continuation": await measure(count, resumeContinuation)
  case "sleep": await measure(count, sleepZero)
  case "timer_cancel": await measure(warmUp: count, count, cancelTimers)
  case "timer_fire": await measure(warmUp: count, count, fireTimers)
  case "process": try await measure(warmUp: 20, count, startProcesses)
  default: arguments.notOffered()
  }
}

@main
enum SwiftMicro {
  static func main() async throws { try await run(PeerArguments()) }
}
