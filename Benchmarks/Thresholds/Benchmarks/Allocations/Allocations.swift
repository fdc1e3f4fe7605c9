// What an operation allocates. The loop runs in a thread of its own: the tool calls benchmarks inside of a task of its
// main thread, and a loop may not be run there.

import Benchmark

let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = Benchmark.Configuration(
    metrics: [allocations],
    warmupIterations: 0,
    maxDuration: .seconds(60),
    maxIterations: 3,
    thresholds: [allocations: BenchmarkThresholds(absolute: [.p90: tolerance])]
  )
  registerCallbacks()
  registerTimers()
  registerTasks()
  registerNames()
  for loop in offeredLoops() {
    registerStreams(on: loop)
    registerDatagrams(on: loop)
  }
}
