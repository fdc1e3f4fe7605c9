/// What will happen when: a heap by time, and by the order of scheduling among events of one time. The heap has only
/// numbers, because its entries move a lot; the events stay in place.
struct EventQueue {
  private struct Entry {
    let time: Int64
    let order: UInt64
    let place: Int
  }

  private var heap: [Entry] = []
  private var events: [Event] = []
  /// Places of events that are free.
  private var free: [Int] = []
  private var scheduled: UInt64 = 0
  /// The number of weather events: the weather changes for ever, whether anything waits or not.
  private var weather = 0

  /// True if nothing but weather will happen.
  var hasOnlyWeather: Bool { heap.count == weather }
  var count: Int { heap.count }
  var nextTime: Int64? { heap.first?.time }

  mutating func schedule(_ event: consuming Event, at time: Int64) {
    if event.isWeather { weather += 1 }
    let place: Int
    if let last = free.popLast() {
      place = last
      events[place] = event
    } else {
      place = events.count
      events.append(event)
    }
    heap.append(Entry(time: time, order: scheduled, place: place))
    scheduled += 1
    rise(heap.count - 1)
  }

  /// Take the next event that is due, if any.
  mutating func popDue(now: Int64) -> Event? {
    guard let first = heap.first, first.time <= now else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty { sink(last) }
    free.append(first.place)
    var event = Event.weather
    swap(&event, &events[first.place])
    if event.isWeather { weather -= 1 }
    return event
  }

  private mutating func rise(_ start: Int) {
    let entry = heap[start]
    var child = start
    while child > 0 {
      let parent = (child - 1) / 4
      guard Self.isBefore(entry, heap[parent]) else { break }
      heap[child] = heap[parent]
      child = parent
    }
    heap[child] = entry
  }

  /// Put an entry where the first one was, and then where it belongs.
  private mutating func sink(_ entry: Entry) {
    var parent = 0
    while true {
      let first = 4 * parent + 1
      guard first < heap.count else { break }
      var least = first
      for child in first + 1..<max(first + 1, min(first + 4, heap.count)) where Self.isBefore(heap[child], heap[least])
      {
        least = child
      }
      guard Self.isBefore(heap[least], entry) else { break }
      heap[parent] = heap[least]
      parent = least
    }
    heap[parent] = entry
  }

  mutating func removeAll() { self = EventQueue() }

  @inline(__always)
  private static func isBefore(_ a: Entry, _ b: Entry) -> Bool {
    a.time != b.time ? a.time < b.time : a.order < b.order
  }
}

/// What can happen in a simulated network.
enum Event {
  /// Something arrives at the other end of a link, unless the link is cut.
  case arrival(Link, Packet)
  /// A connect without an answer is tried again, or given up.
  case retryConnect(ConnectAttempt)
  /// Nothing was heard of the other end for too long.
  case timeOut(StreamEnd)
  /// A socket is looked at again: what it waits for is there, only later than it could have been.
  case look(SimulatedSocket)
  /// The weather changes.
  case weather
  /// A link works again.
  case mend(Link)
  /// A link that was clogged may flow again.
  case unclog(Link)
  /// Anything else.
  case action(() -> Void)

  var isWeather: Bool {
    switch self {
    case .weather, .mend, .unclog: true
    default: false
    }
  }
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
  /// Nothing receives a datagram of this socket.
  case unreachable(SimulatedSocket)

  /// True if the protocol sends it again until it arrives.
  var isReliable: Bool {
    switch self {
    case .bytes, .end, .reset, .room, .accepted: true
    case .connect, .refused, .datagram, .unreachable: false
    }
  }
}
