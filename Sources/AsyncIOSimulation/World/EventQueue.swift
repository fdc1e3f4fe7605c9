/// What will happen when: a heap by time, and by the order of scheduling among events of one time.
struct EventQueue {
  struct Entry {
    let time: Int64
    let order: UInt64
    let event: Event
  }

  private var heap: [Entry] = []
  private var scheduled: UInt64 = 0

  var isEmpty: Bool { heap.isEmpty }
  var count: Int { heap.count }
  var nextTime: Int64? { heap.first?.time }

  mutating func schedule(_ event: Event, at time: Int64) {
    heap.append(Entry(time: time, order: scheduled, event: event))
    scheduled += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard Self.isBefore(heap[child], heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// The next event that is due, if any.
  mutating func popDue(now: Int64) -> Event? {
    guard let first = heap.first, first.time <= now else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    return first.event
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var least = 2 * parent + 1
      guard least < heap.count else { return }
      if least + 1 < heap.count, Self.isBefore(heap[least + 1], heap[least]) { least += 1 }
      guard Self.isBefore(heap[least], heap[parent]) else { return }
      heap.swapAt(least, parent)
      parent = least
    }
  }

  mutating func removeAll() { heap = [] }

  @inline(__always)
  private static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
    a.time != b.time ? a.time < b.time : a.order < b.order
  }
}

/// What can happen in a simulated network.
enum Event {
  /// Something arrives at the other end of a link, unless the link is cut.
  case arrival(Link, Packet)
  /// A connect that nobody answered is tried again, or given up.
  case retryConnect(ConnectAttempt)
  /// Nothing was heard of the other end for too long.
  case timeOut(StreamEnd)
  /// A socket is looked at again: what it waits for is there, only later than it could have been.
  case look(SimulatedSocket)
  /// The weather changes.
  case weather
  /// Anything else.
  case action(() -> Void)
}

/// What travels over a link.
enum Packet {
  case connect(ConnectAttempt)
  case accepted(ConnectAttempt, StreamEnd)
  case refused(ConnectAttempt)
  case bytes(StreamEnd, [UInt8])
  case end(StreamEnd)
  case reset(StreamEnd)
  /// There is room again where there was none.
  case room(StreamEnd)
  case datagram(Datagram)
  /// Nobody is there for a datagram of this socket.
  case unreachable(SimulatedSocket)

  /// The protocol sends it again until it arrives.
  var isReliable: Bool {
    switch self {
    case .bytes, .end, .reset, .room, .accepted: true
    case .connect, .refused, .datagram, .unreachable: false
    }
  }
}
