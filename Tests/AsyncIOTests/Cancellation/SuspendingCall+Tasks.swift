import CAsyncIO
import POSIX
import SystemPackage
import Testing

@_spi(Channels) @_spi(Embedding) @testable import AsyncIO

extension SuspendingCall {
  static let locks: [SuspendingCall] = [
    SuspendingCall("AsyncLock.acquire") { _ in try await AsyncLock().acquire() },
    SuspendingCall("AsyncLock.withLock") { _ in try await AsyncLock().withLock {} },
    SuspendingCall("Barrier.wait") { _ in try await Barrier(1).wait() },
    SuspendingCall("Condition.acquire") { _ in try await Condition().acquire() },
    SuspendingCall("Condition.withLock") { _ in try await Condition().withLock {} },
    SuspendingCall("Condition.wait") { _ in
      let lock = AsyncLock()
      await lock.acquireUncancellably()
      try await Condition(lock: lock).wait()
    },
    SuspendingCall("Condition.wait") { _ in try await Condition().wait { true } },
    SuspendingCall("Event.wait") { _ in
      let event = Event()
      event.set()
      try await event.wait()
    },
    SuspendingCall("Semaphore.acquire") { _ in try await Semaphore().acquire() },
    SuspendingCall("Semaphore.withPermit") { _ in try await Semaphore().withPermit {} },
    SuspendingCall("Semaphore.acquire") { _ in try await BoundedSemaphore().acquire() },
    SuspendingCall("Semaphore.withPermit") { _ in try await BoundedSemaphore().withPermit {} },
    SuspendingCall("Queue.put") { _ in try await Queue<Int>().put(1) },
    SuspendingCall("Queue.get") { _ in
      let queue = Queue<Int>()
      try queue.putNoWait(1)
      _ = try await queue.get()
    },
    SuspendingCall("Queue+Sequence.next") { _ in
      let queue = Queue<Int>()
      try queue.putNoWait(1)
      for try await _ in queue {}
    },
    SuspendingCall("Broadcast.send") { _ in try await Broadcast<Int>(capacity: 1).send(1) },
    SuspendingCall("Broadcast.next") { _ in
      let broadcast = try Broadcast<Int>(capacity: 1)
      let subscription = broadcast.subscribe()
      try broadcast.sendNoWait(1)
      _ = try await subscription.next()
    },
    SuspendingCall("WatchedValue.next") { _ in for try await _ in WatchedValue(1) {} },
    SuspendingCall("WatchedValue.changed") { _ in _ = try await WatchedValue(1).changed() },
    SuspendingCall("RateLimit.acquire") { _ in try await RateLimit(tokens: 1, per: .seconds(1)).acquire() },
    SuspendingCall("Queue.join") { _ in try await Queue<Int>().join() },
  ]

  static let waits: [SuspendingCall] = [
    SuspendingCall("Sleeping.sleep") { _ in try await sleep(for: .zero) },
    SuspendingCall("Sleeping.sleep") { _ in try await sleep(seconds: -1) },
    SuspendingCall("Sleeping.sleep") { try await sleep(until: $0.near.loop.time()) },
    SuspendingCall("Future.get") { try await $0.done.get() },
    SuspendingCall("Gather.gather") { try await gather($0.done) },
    SuspendingCall("Gather.gather") { _ = try await gather([$0.done]) },
    SuspendingCall("Gather.gatherResults") { _ = try await gatherResults([$0.done]) },
    SuspendingCall("Wait.wait") { _ = try await wait(for: [$0.done]) },
    SuspendingCall("AsCompleted.asCompleted") { for try await _ in try asCompleted([$0.done]) {} },
    SuspendingCall("Shield.shield") { try await shield($0.done) },
    SuspendingCall("Shield.shield") { _ in try await shield {} },
    SuspendingCall("Interval.interval") { _ in for try await _ in try interval(every: .seconds(1)) {} },
    SuspendingCall("Race.race") { _ in _ = try await race({ 1 }, { 2 }) },
    SuspendingCall("Race.race") { _ in _ = try await race({ 1 }, { 2 }, { 3 }) },
    SuspendingCall("Race.race") { _ in _ = try await race({ 1 }, { 2 }, { 3 }, { 4 }) },
    SuspendingCall("Retry.retry") { _ in try await retry(attempts: 1) { _ in _ = Issue.record("the body was begun") } },
    SuspendingCall("ToThread.toThread") { _ in try await toThread { _ = Issue.record("the work was begun") } },
  ]

  static let makers: [SuspendingCall] = [
    SuspendingCall("EventLoop+Connecting.createConnection") {
      _ = try await $0.near.loop.createConnection(host: "127.0.0.1", port: $0.listener.port) { Silent() }
    },
    SuspendingCall("EmbeddedTransports.embeddedConnection") { busy in
      let core = try #require(busy.near.loop as? BaseEventLoop)
      _ = try await core.embeddedConnection(
        host: "127.0.0.1", port: busy.listener.port, family: .unspecified, proto: 0, flags: [], localHost: nil,
        localPort: 0, happyEyeballsDelay: nil, interleave: nil
      ) { Silent() }
    },
    SuspendingCall("EventLoop+Connecting.createConnection") { busy in
      try await keepsOpen { _ = try await busy.near.loop.createConnection(socket: $0) { Silent() } }
    },
    SuspendingCall("EventLoop+Connecting.connectAcceptedSocket") { busy in
      try await keepsOpen { _ = try await busy.near.loop.connectAcceptedSocket($0) { Silent() } }
    },
    SuspendingCall("EventLoop+Connecting.createUnixConnection") {
      _ = try await $0.near.loop.createUnixConnection(path: "\0nobody") { Silent() }
    },
    SuspendingCall("EventLoop+Datagrams.createDatagramEndpoint") {
      _ = try await $0.near.loop.createDatagramEndpoint(localAddress: .host("127.0.0.1", port: 0)) { Deaf() }
    },
    SuspendingCall("EventLoop+Pipes.connectReadPipe") { busy in
      let ends = try makePipe()
      defer { for end in [ends.read, ends.write] { #expect(close(end) == 0) } }
      _ = try await busy.near.loop.connectReadPipe(ends.read) { Silent() }
    },
    SuspendingCall("EventLoop+Pipes.connectWritePipe") { busy in
      let ends = try makePipe()
      defer { for end in [ends.read, ends.write] { #expect(close(end) == 0) } }
      _ = try await busy.near.loop.connectWritePipe(ends.write) { Silent() }
    },
    SuspendingCall("EventLoop+Serving.createServer") {
      _ = try await $0.near.loop.createServer(host: "127.0.0.1", port: 0) { Silent() }
    },
    SuspendingCall("EventLoop+Serving.createServer") { busy in
      try await keepsOpen { _ = try await busy.near.loop.createServer(socket: $0) { Silent() } }
    },
    SuspendingCall("ChannelSocket.removeStale") {
      try await ChannelSocket.removeStale(
        at: SocketAddress(unixPath: "/tmp/nobody"), on: $0.near.loop as! BaseEventLoop)
    },
    SuspendingCall("EventLoop+Serving.createUnixServer") {
      _ = try await $0.near.loop.createUnixServer(path: "\0checkpoint server") { Silent() }
    },
    SuspendingCall("EventLoop+Subprocesses.subprocessExec") {
      _ = try await $0.near.loop.subprocessExec("true") { Parent() }
    },
    SuspendingCall("EventLoop+Subprocesses.subprocessShell") {
      _ = try await $0.near.loop.subprocessShell("true") { Parent() }
    },
  ]

  static let groups: [SuspendingCall] = [
    SuspendingCall("LoopGroup.run") { try await group($0).run(on: 0) {} },
    SuspendingCall("LoopGroup.shared") { try await group($0).shared {} },
    SuspendingCall("LoopGroup+Ports.bind") {
      _ = try await StreamListener.bind(host: "127.0.0.1", port: 0, sharedBy: group($0))
    },
    SuspendingCall("LoopGroup+Ports.bind") {
      _ = try await DatagramEndpoint.bind(host: "127.0.0.1", port: 0, sharedBy: group($0))
    },
    SuspendingCall("LoopGroup+Ports.createServer") {
      _ = try await $0.near.loop.createServer(host: "127.0.0.1", port: 0, sharedBy: group($0)) { Silent() }
    },
  ]

  /// A group of one.
  private static func group(_ busy: Busy) -> LoopGroup {
    LoopGroup(index: 0, loops: [busy.near.loop], values: SharedValues(count: 1))
  }

  static let others: [SuspendingCall] = [
    SuspendingCall(prepared: "EventLoop+SendFile.sendfile") { busy in
      let loop = busy.near.loop
      let (transport, _) = try await loop.createConnection(host: "127.0.0.1", port: busy.listener.port) { Silent() }
      defer { transport.abort() }
      cancelThisTask()
      _ = try await loop.sendfile(transport, busy.file)
    },
    SuspendingCall(prepared: "StreamTransport+TLS.startTLS") { busy in
      let loop = busy.near.loop
      let (transport, proto) = try await loop.createConnection(host: "127.0.0.1", port: busy.listener.port) { Silent() }
      defer { transport.abort() }
      cancelThisTask()
      try await loop.startTLS(transport, proto, tlsContext(), serverHostname: "localhost")
    },
    SuspendingCall(prepared: "Server.startServing") { busy in
      let server = try await busy.near.loop.createServer(host: "127.0.0.1", port: 0, startServing: false) { Silent() }
      defer { server.close() }
      cancelThisTask()
      try await server.startServing()
    },
    SuspendingCall(prepared: "Server.waitClosed") { busy in
      let server = try await busy.near.loop.createServer(host: "127.0.0.1", port: 0) { Silent() }
      server.close()
      cancelThisTask()
      try await server.waitClosed()
    },
  ]

  /// Make a socket, and look that the call leaves it open.
  private static func keepsOpen(_ body: (Int32) async throws -> Void) async throws {
    let number = socket(AF_INET, Int32(SocketType.stream.rawValue), 0)
    defer { #expect(close(number) == 0) }
    try await body(number)
  }
}

private final class Silent: StreamProtocol {
  func dataReceived(_ bytes: RawSpan) {}
}
private final class Deaf: DatagramProtocol {
  func datagramReceived(_ bytes: RawSpan, from address: SocketAddress) {}
}
private final class Parent: SubprocessProtocol {}
