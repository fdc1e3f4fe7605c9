@_spi(Channels) internal import AsyncIO
internal import NIOCore

/// The files that Unix sockets leave behind.
enum StaleFile {
  /// Make way for a bind: remove the file of a socket that no program has any more. Any other file stays, and the bind
  /// fails on it. The future has the address of the path; it fails for a path that is none.
  static func remove(path: String, on loop: any NIOCore.EventLoop) -> EventLoopFuture<NIOCore.SocketAddress> {
    loop.onOurLoop { loop in
      loop.runTask {
        let address = try NIOCore.SocketAddress(unixDomainSocketPath: path)
        try await ChannelSocket.removeStale(at: try address.forLoops(), on: loop.base)
        return address
      }
    }
  }
}

extension AsyncIOEventLoop {
  /// Run a body in a task on the loop below; the future has its result. A task of NIO's `makeFutureWithTask` would run
  /// elsewhere.
  func runTask<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) -> EventLoopFuture<Value> {
    let promise = makePromise(of: Value.self)
    let work: @Sendable () -> Void = {
      Task(executorPreference: self.base.taskExecutor) {
        do { promise.succeed(try await body()) } catch { promise.fail(error) }
      }
    }
    execute(work)
    return promise.futureResult
  }
}
