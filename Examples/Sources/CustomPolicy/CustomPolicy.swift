// The custom policy of asyncio's documentation:
//
//     class MyEventLoopPolicy(asyncio.DefaultEventLoopPolicy):
//         def get_event_loop(self):
//             loop = super().get_event_loop()
//             # Do something with loop ...
//             return loop
//
//     asyncio.set_event_loop_policy(MyEventLoopPolicy())

import AsyncIO

final class MyEventLoopPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  override func getEventLoop() throws -> any EventLoop {
    let loop = try super.getEventLoop()
    // Do something with loop: here, whatever blocks it for five milliseconds is logged.
    loop.isDebug = true
    loop.slowCallbackDuration = .milliseconds(5)
    return loop
  }
}

@main struct CustomPolicy {
  static func main() throws {
    setEventLoopPolicy(MyEventLoopPolicy())
    setEventLoop(try newEventLoop())

    let loop = try getEventLoop()  // calls the override
    print("debug mode: \(loop.isDebug), slow from \(loop.slowCallbackDuration)")

    try loop.callSoon {
      let end = ContinuousClock.now + .milliseconds(10)
      while ContinuousClock.now < end {}  // a callback that blocks the loop: look for the warning
    }
    try loop.callLater(.milliseconds(20)) {
      let running = try getEventLoop()  // inside, the running loop comes first
      print("a callback runs on the same loop: \(running === loop)")
      loop.stop()
    }
    try loop.runForever()
    try loop.close()
  }
}
