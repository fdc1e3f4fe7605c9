// What an operation allocates. The loop runs in a thread of its own: the tool calls benchmarks inside of a task of its
// main thread, and a loop may not be run there.

import Benchmark

let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = Benchmark.Configuration(
    warmupIterations: 0,
    maxDuration: .seconds(60)
  )
  registerCallbacks()
  registerTimers()
  registerTasks()
  registerNames()
  for loop in offeredLoops() {
    registerStreams(on: loop)
    registerIdle(on: loop)
    registerTLS(on: loop)
    registerDatagrams(on: loop)
  }
}
