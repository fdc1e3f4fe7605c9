import Testing

@testable import AsyncIO

/// The heap of timers against a model: a list sorted by deadline and order of insertion.
@Suite struct TimerHeapTests {
  private final class Node: TimerNode {
    let name: Int
    init(_ name: Int) { self.name = name }
  }

  private struct Model {
    var entries: [(deadline: Int64, sequence: Int, node: Node)] = []

    var sorted: [(deadline: Int64, sequence: Int, node: Node)] {
      entries.sorted { ($0.deadline, $0.sequence) < ($1.deadline, $1.sequence) }
    }
  }

  @Test("Random inserts, removals and expiries agree with a sorted list", arguments: 0..<40)
  func agreesWithModel(seed: UInt64) {
    var random = SplitMix(seed: seed)
    // A quarter of the heaps runs out of sequence numbers on the way.
    var heap = TimerHeap(sequence: seed % 4 == 0 ? .max - 500 : 0)
    var model = Model()
    var sequence = 0
    var now: Int64 = 0
    // Few distinct deadlines make many ties; many make a deep heap.
    let spread: Int64 = seed % 2 == 0 ? 8 : 100_000
    for _ in 0..<2_000 {
      switch Int.random(in: 0..<10, using: &random) {
      case 0..<5:
        let node = Node(sequence)
        let deadline = now + Int64.random(in: 0..<spread, using: &random)
        heap.insert(LoopWord(node, .node), deadline: deadline)
        model.entries.append((deadline, sequence, node))
        sequence += 1
      case 5..<8:
        guard let index = model.entries.indices.randomElement(using: &random) else { break }
        let node = model.entries.remove(at: index).node
        #expect(node.heapSlot >= 0)
        heap.remove(node)
        #expect(node.heapSlot == -1)
        heap.remove(node)  // idempotent
      default:
        now += Int64.random(in: 0..<max(2, spread / 20), using: &random)
        check(expire(&heap, now: now) == expire(&model, now: now))
      }
      check(heap.count == model.entries.count)
      check(heap.earliest == model.sorted.first?.deadline)
    }
    check(expire(&heap, now: .max - 1) == expire(&model, now: .max - 1))
    check(heap.isEmpty)
  }

  private func expire(_ heap: inout TimerHeap, now: Int64) -> [Int] {
    var names: [Int] = []
    while let node = heap.popDue(now: now)?.object(TimerNode.self) {
      #expect(node.heapSlot == -1)
      names.append((node as! Node).name)
    }
    return names
  }

  private func expire(_ model: inout Model, now: Int64) -> [Int] {
    let due = model.sorted.filter { $0.deadline <= now }
    model.entries.removeAll { $0.deadline <= now }
    return due.map(\.node.name)
  }

  @Test("The distant future is kept and never due")
  func distantFuture() {
    var heap = TimerHeap()
    let node = Node(1)
    heap.insert(LoopWord(node, .node), deadline: .max)
    check(heap.popDue(now: .max) == nil)
    check(heap.count == 1)
    heap.remove(node)
    check(heap.isEmpty)
  }

  @Test("Every place of a heap can be removed", arguments: 1...30)
  func everyPlace(count: Int) {
    for removed in 0..<count {
      var heap = TimerHeap()
      let nodes = (0..<count).map(Node.init)
      for node in nodes { heap.insert(LoopWord(node, .node), deadline: Int64((node.name * 7) % count)) }
      heap.remove(nodes[removed])
      let expected = nodes.filter { $0.name != removed }
        .sorted { (($0.name * 7) % count, $0.name) < (($1.name * 7) % count, $1.name) }
      check(expire(&heap, now: .max) == expected.map(\.name))
    }
  }

  @Test("Taking everything out forgets every place")
  func removeAll() {
    var heap = TimerHeap()
    let nodes = (0..<50).map(Node.init)
    for node in nodes { heap.insert(LoopWord(node, .node), deadline: 5) }
    // Each comes with its reference.
    let all = heap.removeAll().map { $0.word.object(TimerNode.self) }
    check(all.count == 50)
    check(heap.isEmpty && nodes.allSatisfy { $0.heapSlot == -1 })
  }

  @Test("Ties stay in order when the sequence numbers end", arguments: 0..<8 as Range<UInt32>)
  func sequenceEnds(left: UInt32) {
    var heap = TimerHeap(sequence: .max - left)
    let timers = (0..<8).map { _ in Node(0) }
    for (place, timer) in timers.enumerated() { heap.insert(LoopWord(timer, .node), deadline: Int64(place % 2)) }
    let order = [0, 2, 4, 6, 1, 3, 5, 7].map { ObjectIdentifier(timers[$0]) }
    var fired: [ObjectIdentifier] = []
    while let node = heap.popDue(now: 1)?.object(TimerNode.self) { fired.append(ObjectIdentifier(node)) }
    check(fired == order)
  }

  @Test("A crowd that has gone leaves a heap that works")
  func shrinks() {
    var heap = TimerHeap()
    for _ in 0..<2 {
      let nodes = (0..<5_000).map(Node.init)
      for node in nodes { heap.insert(LoopWord(node, .node), deadline: Int64(5_000 - node.name)) }
      check(expire(&heap, now: .max - 1) == nodes.reversed().map(\.name))
    }
  }
}
