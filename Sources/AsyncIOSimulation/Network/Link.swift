/// One direction between two hosts. In the loop's thread.
final class Link {
  let from: SimulatedHost
  let to: SimulatedHost
  /// True if the tester has cut it.
  var isParted = false
  /// The number of weather partitions that cut it.
  var storms = 0
  /// Everything waits until then.
  var cloggedUntil: Int64 = 0
  /// When the last datagram arrives: the next one does not overtake it, unless a fault says so.
  var lastDatagram: Int64 = 0
  /// What is sent again when the link works, in order.
  var held: [Packet] = []

  init(from: SimulatedHost, to: SimulatedHost) { (self.from, self.to) = (from, to) }

  /// True if nothing gets through.
  var isCut: Bool { isParted || storms > 0 }
  var isLoopback: Bool { from === to }
}
