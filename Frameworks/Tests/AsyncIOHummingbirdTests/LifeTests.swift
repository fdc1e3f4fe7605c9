import AsyncIO
import AsyncIOHummingbird
import AsyncIONIO
import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import NIOCore
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import HelloService

/// A word that a handler says and a test waits for, or the other way round.
struct Gate: Sendable {
  private let stream: AsyncStream<Void>
  private let opening: AsyncStream<Void>.Continuation
  init() { (stream, opening) = AsyncStream.makeStream(of: Void.self) }

  func open() { opening.yield() }
  func wait() async { _ = await stream.first { _ in true } }
}

@Suite("The life of an application", .timeLimit(.minutes(2)))
struct LifeTests {
  /// A router whose one route says that it has begun, and answers when it may.
  private func slow(_ begun: Gate, _ go: Gate) -> Router<BasicRequestContext> {
    let router = helloRouter()
    router.get("/slow") { _, _ in
      begun.open()
      await go.wait()
      return "at last"
    }
    return router
  }

  @Test(
    "A shutdown lets a request in flight end, closes idle connections, and refuses others", arguments: Site.allCases)
  func shutdown(site: Site) async throws {
    let (begun, go) = (Gate(), Gate())
    try await site.serve(slow(begun, go)) { service async throws in
      try await connected(service.port) { idle in
        try await idle.send("GET / HTTP/1.1", "host: test")
        #expect(try await idle.answer().status == 200)
        try await connected(service.port) { connection async throws in
          try await connection.send("GET /slow HTTP/1.1", "host: test")
          await begun.wait()
          await service.shutDown()
          #expect(try await idle.readLine() == nil)
          try await service.channel.closeFuture.get()
          await #expect(throws: (any Error).self) { try await connected(service.port) { _ in } }
          go.open()
          #expect(try await connection.answer().text == "at last")
          #expect(try await connection.readLine() == nil)
        }
      }
      try await service.task.value
    }
  }

  /// How many bytes `GET /large` hands over in one piece: more than the buffers between both sides take.
  private static let large = 16_000_000
  private let large: Router<BasicRequestContext> = {
    let router = Router()
    router.get("/large") { _, _ in
      Response(status: .ok, body: .init(byteBuffer: ByteBuffer(repeating: 7, count: Self.large)))
    }
    return router
  }()

  // Hummingbird's own loops cut it.
  @Test("A shutdown lets an answer go out that is handed over already", arguments: Site.ours, [false, true])
  func lastWords(site: Site, protected: Bool) async throws {
    var setting = Setting()
    if protected { setting.server = try .tls(.http1(), tlsConfiguration: Certificate.server()) }
    let tls = protected ? try Certificate.client() : nil
    try await site.serve(large, setting) { service async throws in
      try await connected(service.port, tls: tls) { connection async throws in
        try await connection.send("GET /large HTTP/1.1", "host: test")
        #expect(try await connection.readLine() == "HTTP/1.1 200 OK")
        await service.shutDown()
        try await service.channel.closeFuture.get()
        while let line = try await connection.readLine(), !line.isEmpty {}
        #expect(try await connection.readToEnd().count == Self.large)
      }
    }
  }

  @Test("A client that does not read its answer is cut after the drain", arguments: Site.ours)
  func unread(site: Site) async throws {
    var setting = Setting()
    setting.options.drain = .milliseconds(20)
    try await site.serve(large, setting) { service async throws in
      try await connected(service.port) { connection async throws in
        try await connection.send("GET /large HTTP/1.1", "host: test")
        #expect(try await connection.readLine() == "HTTP/1.1 200 OK")
        await service.shutDown()
        try await service.task.value
      }
    }
  }

  @Test("Cancelling the task that runs it is a graceful shutdown", arguments: Site.ours)
  func cancellation(site: Site) async throws {
    let (begun, go) = (Gate(), Gate())
    let group = try #require(try site.makeGroup(1) as? AsyncIOEventLoopGroup)
    let (ports, running) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
      router: slow(begun, go), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { running.yield($0.localAddress?.port ?? 0) }, logger: Setting.quiet)
    let task = Task { try await application.run(on: group) }
    let port = try #require(await ports.first { _ in true })
    try await AsyncIO.run {
      try await connected(UInt16(port)) { connection async throws in
        try await connection.send("GET /slow HTTP/1.1", "host: test")
        await begun.wait()
        task.cancel()
        go.open()
        #expect(try await connection.answer().text == "at last")
        #expect(try await connection.readLine() == nil)
      }
    }
    try await task.value
    try await group.shutdownGracefully()
  }

  @Test("A request that takes longer than the drain is cancelled", arguments: Site.ours)
  func drain(site: Site) async throws {
    let begun = Gate()
    let wasCancelled = Mutex(false)
    let router = Router()
    router.get("/forever") { _, _ in
      begun.open()
      do { try await Task.sleep(for: .seconds(3600)) } catch { wasCancelled.withLock { $0 = true } }
      return "cut"
    }
    let group = try #require(try site.makeGroup(1) as? AsyncIOEventLoopGroup)
    let (ports, running) = AsyncStream.makeStream(of: Int.self)
    let application = Application(
      router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
      onServerRunning: { running.yield($0.localAddress?.port ?? 0) }, logger: Setting.quiet)
    let task = Task { try await application.run(on: group, options: .init(drain: .milliseconds(20))) }
    let port = try #require(await ports.first { _ in true })
    try await AsyncIO.run {
      try await connected(UInt16(port)) { connection async throws in
        try await connection.send("GET /forever HTTP/1.1", "host: test")
        await begun.wait()
        task.cancel()
        _ = try? await connection.answer()
      }
    }
    try await task.value
    #expect(wasCancelled.withLock { $0 })
    try await group.shutdownGracefully()
  }

  @Test("A port that is taken is an error of the run", arguments: Site.allCases)
  func portInUse(site: Site) async throws {
    try await site.serve(helloRouter()) { service async throws in
      var setting = Setting()
      setting.configuration = .init(address: .hostname("127.0.0.1", port: Int(service.port)))
      await #expect(throws: NIOCore.IOError.self) {
        try await site.serve(helloRouter(), setting) { _ in Issue.record("it runs") }
      }
      #expect(try await request(service.port, "GET / HTTP/1.1").status == 200)
    }
  }

  @Test("Services run beside the server, and what precedes it comes first", arguments: Site.allCases)
  func services(site: Site) async throws {
    let order = Mutex<[String]>([])
    let begun = Gate()
    struct Beside: Service {
      let body: @Sendable () async throws -> Void
      func run() async throws { try await body() }
    }
    var setting = Setting()
    setting.services = [
      Beside {
        order.withLock { $0.append("service") }
        begun.open()
        try await gracefulShutdown()
        order.withLock { $0.append("service ends") }
      }
    ]
    setting.beforeStart = [
      {
        await begun.wait()
        order.withLock { $0.append("before") }
      }
    ]
    try await site.serve(helloRouter(), setting) { service async throws in
      order.withLock { $0.append("running") }
      #expect(try await request(service.port, "GET / HTTP/1.1").status == 200)
    }
    #expect(order.withLock { $0 } == ["service", "before", "running", "service ends"])
  }

  @Test("A client that goes away in the middle of a request leaves the service as it was", arguments: Site.allCases)
  func disconnect(site: Site) async throws {
    let (begun, ended) = (Gate(), Gate())
    let router = helloRouter()
    router.post("/take") { request, _ in
      begun.open()
      defer { ended.open() }
      var count = 0
      for try await bytes in request.body { count += bytes.readableBytes }
      return "\(count)"
    }
    try await site.serve(router) { service async throws in
      try await connected(service.port) { connection async throws in
        try await connection.send("POST /take HTTP/1.1", "host: test", "content-length: 1000", body: "some of it")
        await begun.wait()
      }
      await ended.wait()
      // One that does not read its answer.
      try await connected(service.port) { connection async throws in
        try await connection.send("GET /bytes/100000000 HTTP/1.1", "host: test")
        _ = try await connection.readLine()
      }
      #expect(try await request(service.port, "GET / HTTP/1.1").status == 200)
    }
  }

  @Test("A Unix socket, whose stale file is replaced", arguments: Site.allCases)
  func unix(site: Site) async throws {
    let path = "/tmp/asyncio-hb-\(site.rawValue)-\(UInt32.random(in: 0 ... .max)).sock"
    var setting = Setting()
    setting.configuration = .init(address: .unixDomainSocket(path: path))
    try Self.leaveSocket(at: path)
    for _ in 0..<2 {
      try await site.serve(helloRouter(), setting) { _ async throws in
        let connection = try await StreamConnection.connect(unixPath: path)
        defer { connection.close() }
        try await connection.send("GET / HTTP/1.1", "host: test")
        #expect(try await connection.answer().text == "Hello, world!\n")
      }
    }
    _ = unlink(path)
  }

  /// Leave a socket file as a program does that was killed.
  private static func leaveSocket(at path: String) throws {
    let address = try NIOCore.SocketAddress(unixDomainSocketPath: path)
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let status = address.withSockAddr { bind(descriptor, $0, socklen_t($1)) }
    close(descriptor)
    #expect(status == 0)
  }

  @Test("No more connections than the delegate takes", arguments: Site.allCases)
  func limit(site: Site) async throws {
    var setting = Setting()
    setting.configuration = .init(
      address: .hostname("127.0.0.1", port: 0), availableConnectionsDelegate: MaximumAvailableConnections(2))
    try await site.serve(helloRouter(), setting) { service async throws in
      let connections = try await withThrowingTaskGroup(of: StreamConnection.self) { group in
        for _ in 0..<2 { group.addTask { try await .connect(host: "127.0.0.1", port: service.port) } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      for connection in connections {
        try await connection.send("GET / HTTP/1.1", "host: test")
        #expect(try await connection.answer().status == 200)
      }
      // The third one waits in the system's queue until another one goes.
      try await connected(service.port) { third in
        try await third.send("GET / HTTP/1.1", "host: test")
        async let answer = third.answer()
        connections[0].close()
        #expect(try await answer.status == 200)
      }
      connections[1].close()
    }
  }
}
