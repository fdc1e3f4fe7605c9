import Testing

@testable import AsyncIO

/// The ring of a loop's own thread against a plain list, through growth at every position of its ends.
@Suite struct ReadyQueueTests {
  /// A word that names nothing: the queue never looks inside.
  private func word(_ number: Int) -> LoopWord { LoopWord(bits: UInt(number) << 4) }

  @Test("Growth keeps the order wherever the ring wraps", arguments: [0, 1, 17, 128, 255])
  func wrapAround(offset: Int) {
    var queue = ReadyQueue()
    for i in 0..<offset {
      queue.push(word(i))
      check(queue.pop().bits == word(i).bits)
    }
    // Two doublings from the first size.
    for i in 0..<1000 { queue.push(word(i)) }
    check(queue.count == 1000)
    check(queue.first.bits == word(0).bits)
    for i in 0..<1000 { check(queue.pop().bits == word(i).bits) }
    check(queue.isEmpty)
    check(queue.pushed == offset + 1000)
  }

  @Test("Random pushes and pops agree with a list", arguments: 0..<20)
  func agreesWithList(seed: UInt64) {
    var random = SplitMix(seed: seed)
    var queue = ReadyQueue()
    var list: [Int] = []
    var next = 0
    for _ in 0..<5_000 {
      let pushes = Bool.random(using: &random) ? Int.random(in: 0..<40, using: &random) : 0
      for _ in 0..<pushes {
        queue.push(word(next))
        list.append(next)
        next += 1
      }
      let pops = min(list.count, Int.random(in: 0..<21, using: &random))
      for number in list.prefix(pops) { check(queue.pop().bits == word(number).bits) }
      list.removeFirst(pops)
      check(queue.count == list.count)
      check(queue.isEmpty == list.isEmpty)
    }
    check(queue.pushed == next)
  }

  @Test("A word says what it is and gives its reference back")
  func words() {
    weak var canary: Canary?
    let word: LoopWord
    do {
      let object = Canary()
      canary = object
      word = LoopWord(object, .closeDescriptor)
    }
    #expect(canary != nil)
    #expect(word.tag == .closeDescriptor)
    #expect(word.object(Canary.self) === canary)
    #expect(canary == nil)
  }
}
