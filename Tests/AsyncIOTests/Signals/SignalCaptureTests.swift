import CAsyncIO
import POSIX
import Testing

@testable import AsyncIO

/// What the handlers of signals captured goes away where it may use the signals again.
@Suite(.timeLimit(.minutes(5)))
struct SignalCaptureTests {
  /// Asks the dispatcher of signals when it goes away.
  private final class Talkative: Sendable {
    private let loop: BaseEventLoop
    private let notes: Recorder<Bool>

    init(_ loop: BaseEventLoop, _ notes: Recorder<Bool>) { (self.loop, self.notes) = (loop, notes) }

    deinit { notes.record(loop.removeSignalHandler(SIGUSR1)) }

    /// A handler that holds a new one.
    static func handler(_ loop: BaseEventLoop, _ notes: Recorder<Bool>) -> @Sendable () -> Void {
      let captured = Talkative(loop, notes)
      return { withExtendedLifetime(captured) {} }
    }
  }

  @Test("When a handler is replaced, removed, or dropped with its loop", arguments: LoopKind.allCases)
  func goesAway(kind: LoopKind) async {
    await #expect(processExitsWith: .success) { [kind] in
      let loop = try kind.makeLoop()
      let notes = Recorder<Bool>()
      try loop.addSignalHandler(SIGUSR2, Talkative.handler(loop, notes))
      try loop.addSignalHandler(SIGUSR2, Talkative.handler(loop, notes))
      #expect(notes.all == [false])
      #expect(loop.removeSignalHandler(SIGUSR2))
      #expect(notes.all == [false, false])
      try loop.addSignalHandler(SIGUSR2, Talkative.handler(loop, notes))
      try loop.close()
      #expect(notes.all == [false, false, false])
    }
  }
}
