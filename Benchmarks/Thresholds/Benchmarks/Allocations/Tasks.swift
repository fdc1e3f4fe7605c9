// Tasks on the loop. The memory of a task itself is Swift's: one allocation at least.

import AsyncIO

func registerTasks() {
  count("tasks.spawnAndAwait") { bench in
    let executor = bench.loop.taskExecutor
    try bench.measureTask { count in
      for _ in 0..<count { await Task(executorPreference: executor) {}.value }
    }
  }
  count("tasks.createTask") { bench in
    let loop = bench.loop
    try bench.measureTask { count in
      for _ in 0..<count { try await loop.createTask {}.get() }
    }
  }
  count("tasks.yield") { bench in
    try bench.measureTask { count in
      for _ in 0..<count { await Task.yield() }
    }
  }
  count("tasks.sleep") { bench in
    try bench.measureTask { count in
      for _ in 0..<count { try await AsyncIO.sleep(for: .zero) }
    }
  }
  count("tasks.continuation") { bench in
    let loop = bench.loop
    try bench.measureTask { count in
      for _ in 0..<count {
        try await withUnsafeThrowingContinuation { (continuation: UnsafeContinuation<Void, any Error>) in
          do { try loop.callSoon { continuation.resume() } } catch { continuation.resume(throwing: error) }
        }
      }
    }
  }
}
