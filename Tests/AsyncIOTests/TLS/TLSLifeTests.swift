import SystemPackage
import Testing

@testable import AsyncIO

/// The states of a protected connection, without sockets.
@Suite("TLS life") struct TLSLifeTests {
  static let failure = TLSError(.notTLS, "not TLS")

  static func open() -> TLSLife {
    var life = TLSLife()
    let owes = life.established()
    #expect(!owes)
    return life
  }

  @Test("What reads and writes end with")
  func results() {
    var life = Self.open()
    #expect(life.readResult == nil && life.writeResult == nil)
    life.loseInput(-Int(Errno.connectionReset.rawValue))
    life.loseInput(-Int(Errno.brokenPipe.rawValue))
    #expect(life.readResult == -Int(Errno.connectionReset.rawValue), "the first error counts")
    #expect(life.writeResult == life.readResult && life.isLost)

    life = Self.open()
    life.hearGoodbye()
    life.loseInput(-Int(Errno.connectionReset.rawValue))
    #expect(life.readResult == 0, "what the peer sent is complete, whatever came after it")

    life = Self.open()
    let (isFirst, isSecond) = (life.fail(Self.failure), life.fail(TLSError(.truncated, "later")))
    #expect(isFirst && !isSecond)
    #expect(life.failure?.code == .notTLS)
    #expect(life.readResult == TLSLife.failed && life.writeResult == TLSLife.failed)
  }

  @Test("A failed send leaves the input open, where the peer may have said why")
  func lastWords() {
    let (reset, noRoute) = (-Int(Errno.connectionReset.rawValue), -Int(Errno.noRouteToHost.rawValue))
    var life = Self.open()
    life.loseOutput(reset)
    #expect(life.readResult == nil && life.writeResult == reset)
    #expect(life.mayHearReason && !life.isLost)
    var (told, cut, ended) = (life, life, life)
    _ = told.fail(Self.failure)
    #expect(!told.mayHearReason && told.writeResult == TLSLife.failed)
    cut.loseInput(-Int(Errno.timedOut.rawValue))
    #expect(!cut.mayHearReason && cut.isLost && cut.writeResult == reset)
    ended.hearGoodbye()
    #expect(!ended.mayHearReason && ended.readResult == 0)

    var unreachable = Self.open()
    unreachable.loseOutput(noRoute)
    #expect(!unreachable.mayHearReason, "the peer has not gone, and may never speak again")
    life = TLSLife()
    life.loseOutput(noRoute)
    #expect(life.isLost, "a handshake needs both directions")
    life = TLSLife()
    life.loseOutput(reset)
    #expect(!life.isLost)
  }

  @Test("Goodbye is said once, and after the handshake")
  func goodbye() {
    var life = TLSLife()
    var said = [life.endWriting(), life.endWriting()]
    #expect(said == [.later, .never])
    #expect(life.writeResult == TLSLife.endedHere)
    let owes = life.established()
    #expect(owes)
    life.sayGoodbye()
    said = [life.endWriting()]
    #expect(said == [.never])
    #expect(life.readResult == nil, "the other direction goes on")

    var (fresh, failed) = (Self.open(), Self.open())
    _ = failed.fail(Self.failure)
    said = [fresh.endWriting(), failed.endWriting()]
    #expect(said == [.now, .never])
  }

  @Test("A close keeps the number while the peer has something to hear")
  func close() {
    var life = Self.open()
    #expect(Self.lingers(life) && Self.lingers(life, hasOutput: true))
    #expect(!Self.lingers(life, hasOutput: true, isAbortive: true))
    life.peerEnded()
    #expect(!Self.lingers(life) && Self.lingers(life, hasOutput: true))
    life.loseInput(-Int(Errno.connectionReset.rawValue))
    #expect(!Self.lingers(life, hasOutput: true))

    life = TLSLife()
    #expect(!Self.lingers(life), "nothing was agreed on")
    _ = life.fail(Self.failure)
    #expect(Self.lingers(life), "the alert is to be heard")
  }

  @Test("It lingers until everything is said and heard, or the socket is lost")
  func lingering() {
    var life = Self.open()
    _ = life.close(hasOutput: false, isAbortive: false)
    #expect(life.phase == .lingering && !life.hasLingered(hasOutput: false))
    #expect(!Self.lingers(life), "it is closed once")
    var lost = life
    lost.loseInput(-Int(Errno.connectionReset.rawValue))
    #expect(lost.hasLingered(hasOutput: true))
    life.peerEnded()
    #expect(!life.hasLingered(hasOutput: true) && life.hasLingered(hasOutput: false))
    life.finish()
    #expect(life.phase == .gone)
  }

  /// Whether a connection that is closed in this state lingers.
  static func lingers(_ life: TLSLife, hasOutput: Bool = false, isAbortive: Bool = false) -> Bool {
    var life = life
    let lingers = life.close(hasOutput: hasOutput, isAbortive: isAbortive)
    #expect(life.phase == (lingers ? .lingering : .gone))
    return lingers
  }
}
