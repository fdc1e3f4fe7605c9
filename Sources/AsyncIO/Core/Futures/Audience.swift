/// Who is told when a future is done, in the order in which they came: callbacks and those who wait alike.
///
/// Whoever takes something out releases it outside of the future's lock: what a closure captured may call back.
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
    /// Nil: it was taken out.
    var member: Member?
  }

  private var places: [Place] = []
  private var last: UInt64 = 0
  private var empty = 0

  /// Returns a number to take it out by.
  mutating func add(_ member: Member) -> UInt64 {
    last += 1
    places.append(Place(number: last, member: member))
    return last
  }

  /// A number that nobody has.
  mutating func nextNumber() -> UInt64 {
    last += 1
    return last
  }

  /// Takes one out; nil if it is not there any more. Numbers ascend, so that the one of many is found quickly.
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

  /// Takes all out.
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
