// What a task of our loop pays for a call into a channel's loop and back: `channels_hop LOOP [COUNT]`. With `nio` the
// channels keep SwiftNIO's own thread beside the loop; with `selector` and `proactor` both are the same loop.
import AsyncIO
import AsyncIONIO
import NIOCore
import NIOPosix

let words = CommandLine.arguments
guard words.count >= 2 else { fatalError("arguments: LOOP [COUNT]") }
let count = words.count > 2 ? Int(words[2]) ?? 100_000 : 100_000
let isProactor = words[1] == "proactor"
let loop: any AsyncIO.EventLoop = isProactor ? try ProactorEventLoop() : try SelectorEventLoop()
let task = try loop.createTask {
  let own = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  let channels: any NIOCore.EventLoop = words[1] == "nio" ? own.next() : try AsyncIOEventLoop.running()
  for _ in 0..<count / 10 { try await channels.submit {}.get() }
  let start = ContinuousClock.now
  for _ in 0..<count { try await channels.submit {}.get() }
  let nanoseconds = (ContinuousClock.now - start) / count
  print("\(words[1]): \(nanoseconds.components.attoseconds / 1_000_000_000) ns for a call and its answer")
  try await own.shutdownGracefully()
}
_ = try loop.runUntilComplete(task)
try loop.close()
