/// The callbacks and waiting tasks of a future, in the order in which they came: all are told when it is done.
///
/// Release what is taken out outside of the future's lock: what a closure captured may call back.
struct Audience<Callback: Sendable>: Sendable {
  enum Member: Sendable {
    case task(UnsafeContinuation<Void, Never>, Awaiter?)
    case thread(ThreadGate)
    case observer(Awaiter?, @Sendable () -> Void)
    case callback(Callback)

    var awaiter: Awaiter? {
      switch self {
      case .task(_, let awaiter), .observer(let awaiter, _): awaiter
      case .thread, .callback: nil
      }
    }
  }

  private struct Place: Sendable {
    var number: UInt64
    /// Nil if it was taken out.
    var member: Member?
  }

  private var places: [Place] = []
  private var last: UInt64 = 0
  private var empty = 0

  /// Add a member. Returns a number to take it out by.
  mutating func add(_ member: Member) -> UInt64 {
    last += 1
    places.append(Place(number: last, member: member))
    return last
  }

  /// Return a number that no member has.
  mutating func nextNumber() -> UInt64 {
    last += 1
    return last
  }

  /// Take a member out; nil if it is no longer there. Numbers ascend, so that one among many is found quickly.
  mutating func remove(_ number: UInt64) -> Member? {
    var (low, high) = (0, places.count)
    while low < high {
      let middle = (low + high) / 2
      if places[middle].number < number { low = middle + 1 } else { high = middle }
    }
    guard low < places.count, places[low].number == number, let member = places[low].member else { return nil }
    places[low].member = nil
    empty += 1
    if empty > 8 && empty > places.count / 2 {
      places.removeAll { $0.member == nil }
      empty = 0
    }
    return member
  }

  /// Take all members out.
  mutating func takeAll() -> Audience {
    var taken = Audience()
    taken.last = last
    swap(&taken, &self)
    return taken
  }

  var isEmpty: Bool { places.count == empty }

  /// In their order.
  func forEach(_ body: (Member) -> Void) {
    for place in places { if let member = place.member { body(member) } }
  }

  /// The tasks that wait, in their order.
  var awaiters: [Awaiter] { places.compactMap { $0.member?.awaiter } }
}
