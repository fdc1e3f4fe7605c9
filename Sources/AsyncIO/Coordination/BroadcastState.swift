/// How a wait for a broadcast's element ends.
enum BroadcastEnd<Element: Sendable>: Sendable {
  case element(Element)
  case lagged(Int)
  case shutDown
  case cancelled

  /// Return the element, nil at the end, or throw the error.
  func get() throws -> Element? {
    switch self {
    case .element(let element): return element
    case .lagged(let count): throw BroadcastLagError(count: count)
    case .shutDown: return nil
    case .cancelled: throw CancellationError()
    }
  }
}

/// The elements of a broadcast that a subscriber has still to take, the subscribers, and the tasks that wait at either
/// end. The mutations return which tasks to resume with what; the caller does that outside of the lock.
///
/// Elements have numbers. Each subscriber has the number of the element that it takes next, and each element knows how
/// many have still to take it; those that none has are removed, and they are always the oldest, because a subscriber
/// that needs one needs all later ones. A task waits for an element only where everything was taken, so that a new one
/// goes straight to it.
struct BroadcastState<Element: Sendable>: Sendable {
  typealias Taker = Waiters<BroadcastEnd<Element>>.Continuation
  typealias Sender = Waiters<QueueEnd<Void>>.Continuation

  struct Actions {
    var takers: [(Taker, BroadcastEnd<Element>)] = []
    var senders: [Sender] = []
    var refused: [Sender] = []
    /// Elements that go without being taken: what they refer to is released outside of the lock.
    var dropped: [Element] = []

    func perform() {
      for (taker, end) in takers { taker.resume(returning: end) }
      for sender in senders { sender.resume(returning: .success(())) }
      for sender in refused { sender.resume(returning: .shutDown) }
    }
  }

  struct Entry: Sendable {
    var element: Element
    /// How many subscribers have still to take it.
    var takers: Int
  }

  struct Member: Sendable {
    let number: UInt64
    /// The number of the element that it takes next.
    var next: UInt64
    var waiters = Waiters<BroadcastEnd<Element>>()
  }

  let capacity: Int
  let dropsOldest: Bool
  private var entries = FirstInFirstOut<Entry>()
  /// The number of the oldest element that is there.
  private var oldest: UInt64 = 0
  /// In the order in which they came, so that they are served in that order.
  private(set) var members: [Member] = []
  private var lastMember: UInt64 = 0
  private var senders = Waiters<QueueEnd<Void>>()
  /// The elements of the tasks that wait to send, by the numbers of their waits.
  private var offers: [UInt64: Element] = [:]
  private var offerOrder = FirstInFirstOut<UInt64>()
  private(set) var isShutDown = false
  var numbers = WaitNumbers()

  init(capacity: Int, dropsOldest: Bool) {
    self.capacity = capacity
    self.dropsOldest = dropsOldest
  }

  /// The number that the next element gets.
  private var newest: UInt64 { oldest + UInt64(entries.count) }

  // MARK: Sending

  /// Send an element. Returns nil if it has to wait for room.
  mutating func send(_ element: Element) -> Actions? {
    guard dropsOldest || entries.count < capacity else { return nil }
    var actions = Actions()
    add(element, &actions)
    return actions
  }

  private mutating func add(_ element: Element, _ actions: inout Actions) {
    let number = newest
    var missing = 0
    for index in members.indices {
      if let taker = members[index].waiters.popFirst() {
        assert(members[index].next == number, "a subscriber waits that has not taken everything")
        members[index].next = number + 1
        actions.takers.append((taker, .element(element)))
      } else {
        missing += 1
      }
    }
    guard missing > 0 else {
      // Nobody needs it, and so nobody needs an older one.
      assert(entries.isEmpty, "an element is kept that nobody takes")
      oldest += 1
      return
    }
    entries.append(Entry(element: element, takers: missing))
    if entries.count > capacity { dropFirst(&actions) }
  }

  private mutating func dropFirst(_ actions: inout Actions) {
    guard let first = entries.popFirst() else { return }
    oldest += 1
    actions.dropped.append(first.element)
  }

  mutating func enterSender(
    _ id: UInt64, _ sender: Sender, _ element: Element
  ) -> (Admission<QueueEnd<Void>>, Actions) {
    if isShutDown { return (.now(.shutDown), Actions()) }
    if let actions = send(element) { return (.now(.success(())), actions) }
    senders.append(id, sender)
    offers[id] = element
    offerOrder.append(id)
    return (.waits, Actions())
  }

  mutating func leaveSender(_ id: UInt64) -> Sender? {
    offers[id] = nil
    if offerOrder.count > 2 * offers.count + 32 { offerOrder.keep { offers[$0] != nil } }
    return senders.remove(id)
  }

  /// Remove what nobody has to take any more, and let in what waits for room.
  private mutating func makeRoom(_ actions: inout Actions) {
    while let first = entries.first, first.takers == 0 { dropFirst(&actions) }
    while entries.count < capacity, let id = offerOrder.popFirst() {
      guard let offer = offers.removeValue(forKey: id) else { continue }
      if let sender = senders.remove(id) { actions.senders.append(sender) }
      add(offer, &actions)
    }
  }

  // MARK: Subscribers

  mutating func subscribe() -> UInt64 {
    lastMember += 1
    if !isShutDown { members.append(Member(number: lastMember, next: newest)) }
    return lastMember
  }

  mutating func unsubscribe(_ number: UInt64) -> Actions {
    var actions = Actions()
    guard let index = index(of: number) else { return actions }
    var member = members.remove(at: index)
    for taker in member.waiters.removeAll() { actions.takers.append((taker, .shutDown)) }
    for number in max(member.next, oldest)..<newest { _ = take(number) }
    makeRoom(&actions)
    return actions
  }

  /// Numbers ascend, so that one among many is found quickly.
  private func index(of number: UInt64) -> Int? {
    var (low, high) = (0, members.count)
    while low < high {
      let middle = (low + high) / 2
      if members[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low < members.count && members[low].number == number ? low : nil
  }

  // MARK: Taking

  mutating func enterTaker(
    _ id: UInt64, _ taker: Taker, of number: UInt64
  ) -> (Admission<BroadcastEnd<Element>>, Actions) {
    var actions = Actions()
    guard let index = index(of: number) else { return (.now(.shutDown), actions) }
    let next = members[index].next
    if next < oldest {
      members[index].next = oldest
      return (.now(.lagged(Int(clamping: oldest - next))), actions)
    }
    guard next < newest else {
      if isShutDown { return (.now(.shutDown), actions) }
      members[index].waiters.append(id, taker)
      return (.waits, actions)
    }
    members[index].next += 1
    let element = take(next)
    makeRoom(&actions)
    return (.now(.element(element)), actions)
  }

  /// Return an element that is there, which one subscriber less has now to take.
  private mutating func take(_ number: UInt64) -> Element {
    entries.withElement(at: Int(number - oldest)) { entry in
      entry.takers -= 1
      return entry.element
    }
  }

  mutating func leaveTaker(_ id: UInt64, of number: UInt64) -> Taker? {
    guard let index = index(of: number) else { return nil }
    return members[index].waiters.remove(id)
  }

  // MARK: The end

  mutating func shutDown() -> Actions {
    isShutDown = true
    var actions = Actions()
    actions.refused = senders.removeAll()
    actions.dropped = Array(offers.values)
    offers = [:]
    offerOrder = FirstInFirstOut()
    for index in members.indices {
      for taker in members[index].waiters.removeAll() { actions.takers.append((taker, .shutDown)) }
    }
    return actions
  }
}
