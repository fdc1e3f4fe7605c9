internal import AsyncIO

/// The default policy over the loops of a subject; writes down its own `new` and `set`, which other calls have to go
/// through.
final class ObservedPolicy: DefaultEventLoopPolicy, @unchecked Sendable {
  // Unchecked because the base class is; what is added here is constant or guards itself.
  let calls = Trail()
  private let make: @Sendable () throws -> any EventLoop

  init(_ subject: ConformanceSubject, creation: Creation = .mainThread) {
    make = { try subject.makeLoop() }
    super.init(creation: creation)
  }

  override func setEventLoop(_ loop: (any EventLoop)?) {
    calls.mark(loop == nil ? "set(nil)" : "set(loop)")
    super.setEventLoop(loop)
  }

  override func newEventLoop() throws -> any EventLoop {
    calls.mark("new")
    return try make()
  }
}

/// A custom policy that has nothing to give, and writes down that it was asked.
final class RefusingPolicy: EventLoopPolicy {
  struct Refusal: Error {}

  let calls = Trail()

  func getEventLoop() throws -> any EventLoop { try refuse("get") }
  func setEventLoop(_ loop: (any EventLoop)?) { calls.mark("set") }
  func newEventLoop() throws -> any EventLoop { try refuse("new") }

  private func refuse(_ call: String) throws -> any EventLoop {
    calls.mark(call)
    throw Refusal()
  }
}
