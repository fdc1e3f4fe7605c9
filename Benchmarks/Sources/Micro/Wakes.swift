// What `callSoonThreadsafe` costs, for the caller and for the loop that is woken.
//
// - pingpong: a thread posts and blocks on an eventfd; the loop, asleep in its poll, wakes, and its callback writes the
//   eventfd. Every post is a wake. With both on one core the scheduler decides nothing but the order; on two cores the
//   time of a wake between them is larger than all differences, and CPU is the figure to look at.
// - burst1, burst4, and the same with `post`, which makes no handle: threads post as fast as they can, all on the other
//   core. Most posts find the loop awake, so wakes have to be rare and what counts is the queue. The wall clock ends
//   when the loop has run the last one.
//
// The threads are started inside of what is measured, as in all programs of this work; they cost nothing beside it.

import AsyncIO
import MicroSupport

/// Counts callbacks down and stops the loop at the last one. For the loop's thread alone, which is what makes the
/// unchecked conformance right.
private final class Countdown: @unchecked Sendable {
  private let loop: BaseEventLoop
  private var left: Int

  init(_ loop: BaseEventLoop, _ count: Int) { (self.loop, left) = (loop, count) }

  func step() {
    left -= 1
    if left == 0 { loop.stop() }
  }
}

func exchangeWakes(_ bench: Bench, sameCore: Bool) throws {
  Core.pin(to: Core.loop)
  let (loop, bell) = (bench.loop, Bell())
  try bench.measure { count in
    let countdown = Countdown(loop, count)
    var threads = Threads()
    threads.start(on: sameCore ? Core.loop : Core.other) {
      for _ in 0..<count {
        post(to: loop) {
          bell.ring()
          countdown.step()
        }
        bell.wait()
      }
    }
    try loop.runForever()
    threads.join()
  }
}

/// What the callbacks of a burst count down. Global, as the floor's number is: a closure that captures an object counts
/// a reference in one thread and gives it back in another, and that would be measured. Right because it changes only
/// between bursts, in the thread of the loop.
private nonisolated(unsafe) var burst: Countdown!

func postBursts(_ bench: Bench, producers: Int, withHandles: Bool) throws {
  Core.pin(to: Core.loop)
  let loop = bench.loop
  try bench.measure { count in
    let share = count / producers
    burst = Countdown(loop, share * producers)
    var threads = Threads()
    for _ in 0..<producers {
      threads.start(on: Core.other) {
        if withHandles {
          for _ in 0..<share { post(to: loop) { burst.step() } }
        } else {
          for _ in 0..<share { postWithoutHandle(to: loop) { burst.step() } }
        }
      }
    }
    try loop.runForever()
    threads.join()
  }
}

@inline(__always)
private func post(to loop: BaseEventLoop, _ callback: sending @escaping () throws -> Void) {
  do { try loop.callSoonThreadsafe(callback) } catch { preconditionFailure("the loop was closed: \(error)") }
}

@inline(__always)
private func postWithoutHandle(to loop: BaseEventLoop, _ callback: sending @escaping () throws -> Void) {
  do { try loop.post(callback) } catch { preconditionFailure("the loop was closed: \(error)") }
}
