import Testing

@testable import AsyncIO

/// The order of attempts and what becomes of them, without a socket: lines 77 to 79 of the conformance list.
@Suite struct ConnectRaceTests {
  private typealias Action = ConnectRace.Action

  @Test("One after the other: the next begins when one has failed, the first success ends the race")
  func sequential() {
    var race = ConnectRace(count: 3, isStaggered: false)
    #expect(race.begin() == [.start(0)])
    #expect(race.failed(0) == [.close(0), .start(1)])
    #expect(race.succeeded(1) == [.finish(.connected(1))])
    #expect(race.cancel() == [], "over is over")
  }

  @Test("All fail")
  func allFail() {
    var race = ConnectRace(count: 2, isStaggered: false)
    #expect(race.begin() == [.start(0)])
    #expect(race.failed(0) == [.close(0), .start(1)])
    #expect(race.failed(1) == [.close(1), .finish(.failed)])
  }

  @Test("No addresses at all fail at once")
  func none() {
    var race = ConnectRace(count: 0, isStaggered: true)
    #expect(race.begin() == [.finish(.failed)])
  }

  @Test("79: the next attempt joins a silent one after the delay; the winner ends the others, which are awaited")
  func staggered() {
    var race = ConnectRace(count: 3, isStaggered: true)
    #expect(race.begin() == [.setTimer, .start(0)])
    #expect(race.timerFired() == [.setTimer, .start(1)])
    #expect(race.succeeded(1) == [.cancelTimer, .cancel(0)])
    #expect(race.failed(0) == [.close(0), .finish(.connected(1))])
  }

  @Test("A failure does not wait for the delay, and the delay begins anew")
  func failureStartsNext() {
    var race = ConnectRace(count: 3, isStaggered: true)
    #expect(race.begin() == [.setTimer, .start(0)])
    #expect(race.failed(0) == [.close(0), .cancelTimer, .setTimer, .start(1)])
    #expect(race.failed(1) == [.close(1), .cancelTimer, .start(2)], "nobody is left to wait for")
    #expect(race.failed(2) == [.close(2), .finish(.failed)])
  }

  @Test("The failure of an earlier attempt changes nothing: the latest has its full delay")
  func earlierFailure() {
    var race = ConnectRace(count: 4, isStaggered: true)
    #expect(race.begin() == [.setTimer, .start(0)])
    #expect(race.timerFired() == [.setTimer, .start(1)])
    #expect(race.failed(0) == [.close(0)])
    #expect(race.timerFired() == [.setTimer, .start(2)])
    #expect(race.failed(2) == [.close(2), .cancelTimer, .start(3)])
    #expect(race.failed(3) == [.close(3)], "the second one is under way still")
    #expect(race.succeeded(1) == [.finish(.connected(1))])
  }

  @Test("79: a second success is closed, the first one counts")
  func secondSuccess() {
    var race = ConnectRace(count: 2, isStaggered: true)
    #expect(race.begin() == [.setTimer, .start(0)])
    #expect(race.timerFired() == [.start(1)])
    #expect(race.succeeded(0) == [.cancel(1)])
    #expect(race.succeeded(1) == [.close(1), .finish(.connected(0))])
  }

  @Test("77: a cancelled race ends its attempts, awaits them and begins no more")
  func cancelled() {
    var race = ConnectRace(count: 4, isStaggered: true)
    #expect(race.begin() == [.setTimer, .start(0)])
    #expect(race.timerFired() == [.setTimer, .start(1)])
    #expect(race.cancel() == [.cancelTimer, .cancel(0), .cancel(1)])
    #expect(race.cancel() == [])
    #expect(race.failed(1) == [.close(1)])
    #expect(race.failed(0) == [.close(0), .finish(.cancelled)])
  }

  @Test("Cancelled before the begin: nothing begins")
  func cancelledBefore() {
    var race = ConnectRace(count: 2, isStaggered: false)
    #expect(race.cancel() == [])
    #expect(race.begin() == [.finish(.cancelled)])
  }

  @Test("A success that was faster than the cancel counts")
  func successBeatsCancel() {
    var race = ConnectRace(count: 3, isStaggered: true)
    #expect(race.begin() == [.setTimer, .start(0)])
    #expect(race.timerFired() == [.setTimer, .start(1)])
    #expect(race.cancel() == [.cancelTimer, .cancel(0), .cancel(1)])
    #expect(race.succeeded(0) == [.cancel(1)])
    #expect(race.failed(1) == [.close(1), .finish(.connected(0))])
  }

  /// Every order of events that a race of three can see ends once, with every attempt ended and closed but the winner.
  @Test("Whatever happens, the race ends once and keeps nothing but the winner", arguments: [false, true])
  func everyOrder(isStaggered: Bool) {
    var ends = 0
    func explore(_ race: ConnectRace, _ actions: [Action], running: Set<Int>, closed: Set<Int>, timer: Bool) {
      var (running, closed, timer) = (running, closed, timer)
      var outcome: ConnectRace.Outcome?
      for action in actions {
        #expect(outcome == nil, "nothing follows the end")
        switch action {
        case .start(let i): #expect(running.insert(i).inserted && !closed.contains(i))
        case .cancel(let i): #expect(running.contains(i))
        case .close(let i): #expect(!running.contains(i) && closed.insert(i).inserted)
        case .setTimer:
          #expect(!timer)
          timer = true
        case .cancelTimer:
          #expect(timer)
          timer = false
        case .finish(let end): outcome = end
        }
      }
      if let outcome {
        ends += 1
        #expect(running.isEmpty && !timer)
        if case .connected(let winner) = outcome { #expect(!closed.contains(winner)) }
        return
      }
      #expect(!running.isEmpty, "somebody has to bring the race to its end")
      func follow(_ event: (inout ConnectRace) -> [Action], _ running: Set<Int>, _ timer: Bool) {
        var next = race
        let actions = event(&next)
        if !actions.isEmpty || running.count < started.count {
          explore(next, actions, running: running, closed: closed, timer: timer)
        }
      }
      let started = running
      for attempt in started {
        follow({ $0.succeeded(attempt) }, started.subtracting([attempt]), timer)
        follow({ $0.failed(attempt) }, started.subtracting([attempt]), timer)
      }
      if timer { follow({ $0.timerFired() }, started, false) }
      follow({ $0.cancel() }, started, timer)
    }
    var race = ConnectRace(count: 3, isStaggered: isStaggered)
    let first = race.begin()
    explore(race, first, running: [], closed: [], timer: false)
    #expect(ends > 5)
  }
}
