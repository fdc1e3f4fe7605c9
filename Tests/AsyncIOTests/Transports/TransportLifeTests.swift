import Testing

@testable import AsyncIO

@Suite("What a transport may do, from its making to its end")
struct TransportLifeTests {
  private func open() -> TransportLife {
    var life = TransportLife()
    life.made()
    return life
  }

  @Test("nothing is wanted before the protocol knows its transport, and a pause of that time counts")
  func beginning() {
    var life = TransportLife()
    check(!life.wantsInput)
    check(life.pause())
    life.made()
    check(!life.wantsInput)
    check(life.resume())
    check(life.wantsInput)
  }

  @Test("pausing and resuming act once each, and not after the end or the close")
  func pausing() {
    var life = open()
    check(life.pause() && !life.pause())
    check(life.resume() && !life.resume())
    life.peerEnded()
    check(life.pause())
    check(!life.resume(), "the end is told once")
    check(life.close(hasOutput: false))
    check(!life.pause() && !life.resume())
  }

  @Test("a close waits for the output; the first reason for an end counts")
  func ending() {
    var life = open()
    check(!life.close(hasOutput: true))
    check(life.isClosing && life.phase == .flushing)
    check(!life.close(hasOutput: false))
    #expect(life.flushed() == .finish)
    #expect(life.flushed() == .nothing)
    check(!life.fail(), "it is about to be told already")
    check(life.finish() && !life.finish())

    var other = open()
    _ = other.close(hasOutput: true)
    check(other.fail() && !other.fail())
    #expect(other.flushed() == .nothing)
  }

  @Test("while bytes wait, writes are taken, and the end is reported when their fate is known")
  func settling() {
    var life = open()
    _ = life.close(hasOutput: true)
    #expect(life.write(isEmpty: false) == .send)
    #expect(life.flushed(isSettled: false) == .settle)
    check(life.isClosing && life.phase == .settling)
    #expect(life.write(isEmpty: false) == .discard)
    #expect(life.flushed() == .finish)
    #expect(life.write(isEmpty: false) == .discard)

    var other = open()
    check(!other.close(hasOutput: false, isSettled: false))
    #expect(other.phase == .settling)
    check(other.fail() && !other.fail())
    #expect(other.flushed() == .nothing)
  }

  @Test("the end of the stream goes behind the output, once, and nothing behind it")
  func endOfStream() {
    var life = open()
    check(!life.endWriting(hasOutput: true))
    check(!life.endWriting(hasOutput: false))
    #expect(life.write(isEmpty: false) == .refuse && life.write(isEmpty: true) == .refuse)
    #expect(life.flushed() == .sendEnd)
    var idle = open()
    check(idle.endWriting(hasOutput: false))
    var closing = open()
    _ = closing.close(hasOutput: true)
    check(!closing.endWriting(hasOutput: true))
    #expect(closing.flushed() == .finish)
  }

  @Test("writes on a closing transport are dropped, loudly from the fifth on")
  func discarding() {
    var life = open()
    #expect(life.write(isEmpty: false) == .send && life.write(isEmpty: true) == .discard)
    _ = life.close(hasOutput: false)
    for _ in 1..<TransportLife.loudDiscards { #expect(life.write(isEmpty: false) == .discard) }
    #expect(life.write(isEmpty: true) == .discard)
    #expect(life.write(isEmpty: false) == .discardLoudly && life.write(isEmpty: false) == .discardLoudly)
  }
}
