/// How a wait for a queue ends.
enum QueueEnd<Value: Sendable>: Sendable {
  case success(Value)
  case shutDown
  case cancelled

  /// Return the value, or throw the error.
  func get() throws -> Value {
    switch self {
    case .success(let value): return value
    case .shutDown: throw QueueShutDownError()
    case .cancelled: throw CancellationError()
    }
  }
}

/// A queue, its limits, and the tasks that wait at either end. The mutations return which tasks to resume with what;
/// the caller does that outside of the lock.
///
/// An element goes straight to a task that waits for one, and the place that an element leaves goes straight to the
/// first task that waits to put one. So tasks wait to get only while the queue is empty, and to put only while it is
/// full.
struct QueueState<Element: Sendable>: Sendable {
  typealias Getter = Waiters<QueueEnd<Element>>.Continuation
  typealias Putter = Waiters<QueueEnd<Void>>.Continuation

  struct Actions {
    var getter: (Getter, Element)?
    var putter: Putter?
    var ended: (getters: [Getter], putters: [Putter]) = ([], [])
    var joined: [Waiters<QueueEnd<Void>>.Continuation] = []

    func perform() {
      if let (getter, element) = getter { getter.resume(returning: .success(element)) }
      putter?.resume(returning: .success(()))
      for getter in ended.getters { getter.resume(returning: .shutDown) }
      for putter in ended.putters { putter.resume(returning: .shutDown) }
      for joiner in joined { joiner.resume(returning: .success(())) }
    }
  }

  let maxSize: Int
  private var storage: any QueueStorage<Element>
  private var getters = Waiters<QueueEnd<Element>>()
  private var putters = Waiters<QueueEnd<Void>>()
  /// The elements of the tasks that wait to put, by the numbers of their waits.
  private var offers: [UInt64: Element] = [:]
  private var offerOrder = FirstInFirstOut<UInt64>()
  private var joiners = Waiters<QueueEnd<Void>>()
  private var unfinished = 0
  private(set) var isShutDown = false
  var numbers = WaitNumbers()

  init(maxSize: Int, storage: any QueueStorage<Element>) {
    self.maxSize = maxSize
    self.storage = storage
  }

  var count: Int { storage.count }
  var isFull: Bool { maxSize > 0 && storage.count >= maxSize }

  // MARK: Putting

  /// Put an element. Returns nil if the queue is full.
  mutating func put(_ element: Element) -> Actions? {
    guard !isFull else { return nil }
    var actions = Actions()
    unfinished += 1
    if let getter = getters.popFirst() {
      actions.getter = (getter, element)
    } else {
      storage.insert(element)
    }
    return actions
  }

  mutating func enterPutter(_ id: UInt64, _ putter: Putter, _ element: Element) -> (Admission<QueueEnd<Void>>, Actions)
  {
    if isShutDown { return (.now(.shutDown), Actions()) }
    if let actions = put(element) { return (.now(.success(())), actions) }
    putters.append(id, putter)
    offers[id] = element
    offerOrder.append(id)
    return (.waits, Actions())
  }

  mutating func leavePutter(_ id: UInt64) -> Putter? {
    offers[id] = nil
    if offerOrder.count > 2 * offers.count + 32 { offerOrder.keep { offers[$0] != nil } }
    return putters.remove(id)
  }

  // MARK: Getting

  /// Get an element. Returns nil if the queue is empty.
  mutating func get() -> (Element, Actions)? {
    guard let element = storage.takeNext() else { return nil }
    var actions = Actions()
    while let id = offerOrder.popFirst() {
      guard let offer = offers.removeValue(forKey: id) else { continue }
      storage.insert(offer)
      unfinished += 1
      actions.putter = putters.remove(id)
      break
    }
    return (element, actions)
  }

  mutating func enterGetter(_ id: UInt64, _ getter: Getter) -> (Admission<QueueEnd<Element>>, Actions) {
    if let (element, actions) = get() { return (.now(.success(element)), actions) }
    if isShutDown { return (.now(.shutDown), Actions()) }
    getters.append(id, getter)
    return (.waits, Actions())
  }

  mutating func leaveGetter(_ id: UInt64) -> Getter? { getters.remove(id) }

  // MARK: The end of the work

  /// Count an element as done. Returns nil if there is no unfinished work.
  mutating func taskDone() -> Actions? {
    guard unfinished > 0 else { return nil }
    var actions = Actions()
    finish(1, &actions)
    return actions
  }

  mutating func enterJoiner(_ id: UInt64, _ joiner: Putter) -> Admission<QueueEnd<Void>> {
    if unfinished == 0 { return .now(.success(())) }
    joiners.append(id, joiner)
    return .waits
  }

  mutating func leaveJoiner(_ id: UInt64) -> Putter? { joiners.remove(id) }

  private mutating func finish(_ count: Int, _ actions: inout Actions) {
    unfinished -= count
    if unfinished == 0 { actions.joined = joiners.removeAll() }
  }

  mutating func shutDown(immediate: Bool) -> Actions {
    isShutDown = true
    var actions = Actions()
    offers = [:]
    offerOrder = FirstInFirstOut()
    actions.ended = (getters.removeAll(), putters.removeAll())
    if immediate {
      var dropped = 0
      while storage.takeNext() != nil { dropped += 1 }
      if dropped > 0 { finish(min(dropped, unfinished), &actions) }
    }
    return actions
  }
}
