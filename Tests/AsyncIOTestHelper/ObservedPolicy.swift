import AsyncIO

/// Writes down its own `new` and `set`: code that makes a loop on demand, or runs one, goes through them.
final class ObservedPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  private let record = Lock<[String]>([])

  var calls: [String] { record.withLock { $0 } }

  override func setEventLoop(_ loop: (any EventLoop)?) {
    record.withLock { $0.append(loop == nil ? "set(nil)" : "set(loop)") }
    super.setEventLoop(loop)
  }

  override func newEventLoop() throws -> any EventLoop {
    record.withLock { $0.append("new") }
    return try super.newEventLoop()
  }
}
