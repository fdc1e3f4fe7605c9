// SwiftNIO's echo server with callbacks on the same event loop: `nio_busy SHAPE PORT`.
//
// hog is a callback that computes for 20 microseconds and executes itself again, forever; slow is a repeated task that
// computes for 2 milliseconds, every 50.
import MicroSupport
import NIOCore
import NIOPosix
import Serving

@Sendable func hog(on loop: any EventLoop) {
  compute(nanoseconds: 20_000)
  loop.execute { hog(on: loop) }
}

let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
let loop = group.next()
switch CommandLine.arguments.dropFirst().first {
case "hog": loop.execute { hog(on: loop) }
case "slow":
  loop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { _ in compute(nanoseconds: 2_000_000) }
default: end(Status.notOffered, "usage: nio_busy hog|slow PORT")
}
try await serve(on: group)
