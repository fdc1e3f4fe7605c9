// The micro works on SwiftNIO, one event loop: `nio_micro WORK N [PORT]`.
//
// - Callbacks are `execute`, timers `scheduleCallback`, the lighter of its two forms.
// - It finds a timer that is cancelled by scanning its heap, and cannot move one: timer_cancel and timer_rearm are
//   quadratic, so they need a smaller N.
// - chain never looks at the kernel: the loop goes on with what was queued before it polls again.
// - spawn, yield and continuation run with the loop as a task executor, which the program has to bring; spawn_actor and
//   yield_actor on an actor whose executor is the loop, its own way, where each await leaves the loop and comes back.
// - It has no child processes.

import MicroSupport
import NIOCore
import NIOPosix

@main
enum NIOMicro {
  static func main() async throws {
    let arguments = PeerArguments()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let loop = group.next()
    let count = arguments.count
    switch arguments.work {
    case "chain": try await measure(count) { try await Dispatch(loop).chain($0) }
    case "batch": try await measure(count) { try await Dispatch(loop).batch($0) }
    case "pingpong": try await measure(count) { try await Wakes(loop).pingpong($0, core: Core.other) }
    case "pingpong_same": try await measure(count) { try await Wakes(loop).pingpong($0, core: Core.loop) }
    case "burst1": try await measure(count) { try await Wakes(loop).burst($0, producers: 1) }
    case "burst4": try await measure(count) { try await Wakes(loop).burst($0, producers: 4) }
    case "timer_cancel":
      let timers = Timers(loop)
      try await measure(warmUp: count, count) { try await timers.setAndCancel($0) }
    case "timer_fire":
      let timers = Timers(loop)
      try await measure(warmUp: count, count) { try await timers.setAndFire($0) }
    case "timer_rearm":
      let timers = Timers(loop)
      try await timers.setLive(10_000)
      try await measure(count) { try await timers.rearm($0) }
    case "spawn": await LoopExecutor(loop).run { executor in await measure(count) { await spawn($0, executor) } }
    case "yield": await LoopExecutor(loop).run { _ in await measure(count, yieldOften) }
    case "continuation": await LoopExecutor(loop).run { _ in await measure(count) { await resume($0, loop) } }
    case "spawn_actor": await measure(count) { await OnLoop(loop).spawn($0) }
    case "yield_actor": await measure(count) { await OnLoop(loop).yield($0) }
    case "udp", "udp_same": try await serve(arguments, group)
    default: arguments.notOffered()
    }
  }

  private static func serve(_ arguments: PeerArguments, _ group: MultiThreadedEventLoopGroup) async throws {
    let count = arguments.count
    let channel = try await DatagramBootstrap(group: group)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(DatagramEcho(count)) }
      }
      .bind(host: "127.0.0.1", port: arguments.port).get()
    announceReady()
    try await channel.closeFuture.get()
  }
}
