internal import AsyncIO
internal import SystemPackage

// How packets travel: when they arrive, whether they do, and what a host answers that has no use for them.

extension SimulatedNetwork {
  /// How long a connection may be silent before it is given up.
  private static var silence: Int64 { 60_000_000_000 }
  /// How long until a lost segment is sent again.
  private static var retransmission: Int64 { 200_000_000 }

  // MARK: Sending

  /// Send a packet. `end` is the stream's end that it goes to, whose order it keeps.
  func send(_ packet: Packet, over link: Link, to end: StreamEnd? = nil, bytes: Int = 0) {
    note(.packetSent, bytes, link.to.index)
    var time = later(travelTime(link, bytes))
    if let end {
      if strike(.lostSegments) { time = time.advancedSaturating(by: Self.retransmission) }
      // Not before what was sent before; at the same time is fine, as the queue keeps the order of scheduling.
      time = max(time, end.lastArrival)
      end.lastArrival = time
    }
    record(packet, from: link.from, to: link.to, bytes, arrives: time)
    events.schedule(.arrival(link, packet), at: time)
  }

  func travelTime(_ link: Link, _ bytes: Int) -> Int64 {
    if link.isLoopback { return 5_000 + Int64(random.below(5_000)) }
    // A profile holds a tester's numbers: less than nothing counts as nothing, and too much as for ever.
    var time = max(0, profile.latency.nanoseconds)
      .advancedSaturating(by: random.around(max(0, profile.jitter.nanoseconds)))
    if let bandwidth = profile.bandwidth {
      time = time.advancedSaturating(by: Int64(bytes) * 1_000_000_000 / Int64(max(1, bandwidth)))
    }
    if strike(.slowMessages) {
      time = time.advancedSaturating(by: faults.duration(around: .milliseconds(200), for: .slowMessages))
    }
    return time
  }

  // MARK: Arriving

  func arrive(_ link: Link, _ packet: Packet) {
    if link.isCut { return hold(packet, on: link) }
    // The clock may be past the end of a clog while what was held back is still there.
    if link.cloggedUntil > now || !link.held.isEmpty {
      link.held.append(packet)
      note(.packetHeld, 0, link.to.index)
      return
    }
    deliveries += 1
    deliver(packet, over: link)
  }

  /// Hold a packet while the link is cut: a reliable protocol sends again until the link works, or gives up.
  private func hold(_ packet: Packet, on link: Link) {
    guard packet.isReliable else { return note(.packetLost, 0, link.to.index, "the link is cut") }
    link.held.append(packet)
    note(.packetHeld, 0, link.to.index)
    switch packet {
    case .bytes(let end, _), .end(let end), .reset(let end), .room(let end): beginSilence(end)
    default: break
    }
  }

  /// Begin a silence: the sender waits this long, and no longer.
  func beginSilence(_ end: StreamEnd) {
    guard end.silentSince == 0 else { return }
    end.silentSince = now
    events.schedule(.timeOut(end), at: now + Self.silence)
  }

  /// Let the sender to a silent end give up.
  func timeOut(_ end: StreamEnd) {
    // From an earlier silence, if this one has not lasted as long.
    guard end.silentSince > 0, now - end.silentSince >= Self.silence else { return }
    guard let sender = end.other, !sender.isClosed else { return }
    end.silentSince = 0
    fail(sender, .timedOut)
  }

  /// Let what was held back arrive, in its order.
  func release(_ link: Link) {
    let held = link.held
    link.held = []
    for packet in held {
      switch packet {
      case .bytes(let end, _), .end(let end), .reset(let end), .room(let end): end.silentSince = 0
      default: break
      }
      // Not through the queue of events: what was sent later may already be due, and must not come before.
      deliveries += 1
      deliver(packet, over: link)
    }
  }

  private func deliver(_ packet: Packet, over link: Link) {
    switch packet {
    case .connect(let attempt): connectionRequested(attempt, over: link)
    case .accepted(let attempt, let end): connectionAccepted(attempt, end)
    case .refused(let attempt): finishConnect(attempt, -Errno.connectionRefused.rawValue)
    case .bytes(let end, let bytes): take(bytes, end)
    case .end(let end): takeEnd(end)
    case .reset(let end): fail(end, .connectionReset)
    case .room(let end): noteSocket(end.socket)
    case .datagram(let datagram): take(datagram, link.to)
    case .unreachable(let socket): refuse(socket)
    }
  }

  private func take(_ bytes: [UInt8], _ end: StreamEnd) {
    end.inFlight -= bytes.count
    note(.packetArrived, bytes.count, end.host.index)
    if end.isClosed { return answerForClosed(end) }
    guard end.error == 0, !end.isDeaf else { return }
    end.received.append(bytes)
    noteSocket(end.socket)
  }

  private func takeEnd(_ end: StreamEnd) {
    note(.packetArrived, 0, end.host.index, "the end")
    guard !end.isClosed else { return }
    end.hasEnded = true
    noteSocket(end.socket)
  }

  /// Answer bytes for an end that is gone: a host that is up refuses them, one that is down is silent.
  private func answerForClosed(_ end: StreamEnd) {
    guard let sender = end.other else { return }
    if end.host.isUp {
      send(.reset(sender), over: link(end.host, sender.host), to: sender)
    } else {
      beginSilence(end)
    }
  }

  /// End the connection for one end.
  func fail(_ end: StreamEnd, _ error: Errno) {
    // Told once, however many packets say so.
    guard !end.isClosed, end.error == 0, !end.hasFailed else { return }
    note(.packetArrived, 0, end.host.index, "the connection failed: \(error)")
    end.error = error.rawValue
    end.received.removeAll()
    noteSocket(end.socket)
  }

  // MARK: Datagrams

  func send(_ datagram: Datagram, to target: SimulatedHost) {
    let link = link(datagram.sender.host, target)
    note(.packetSent, datagram.bytes.count, target.index)
    if strike(.lostDatagrams) { return }
    let copies = strike(.doubledDatagrams) ? 2 : 1
    for _ in 0..<copies {
      var time = later(travelTime(link, datagram.bytes.count))
      if strike(.reorderedDatagrams) {
        time = time.advancedSaturating(by: faults.duration(around: .milliseconds(20), for: .reorderedDatagrams))
      } else {
        time = max(time, link.lastDatagram)
        link.lastDatagram = time
      }
      record(.datagram(datagram), from: link.from, to: link.to, datagram.bytes.count, arrives: time)
      events.schedule(.arrival(link, .datagram(datagram)), at: time)
    }
  }

  private func take(_ datagram: Datagram, _ host: SimulatedHost) {
    guard host.isUp else { return note(.packetLost, datagram.bytes.count, host.index, "the host is down") }
    let receivers = host.receivers(at: datagram.route.destination)
    // In most cases there is one, which listens to everybody.
    let fitting =
      receivers.count == 1 && receivers[0].peer == nil
      ? receivers : receivers.filter { $0.peer == nil || $0.peer == datagram.route.source }
    guard let socket = choose(fitting), let inbox = socket.inbox else {
      let back = link(host, datagram.sender.host)
      return send(.unreachable(datagram.sender), over: back)
    }
    guard inbox.bytes + datagram.bytes.count <= DatagramInbox.limit else {
      return note(.packetLost, datagram.bytes.count, host.index, "the receiver is full")
    }
    note(.packetArrived, datagram.bytes.count, host.index)
    inbox.append(datagram)
    noteSocket(socket)
  }

  /// Refuse a datagram; only a connected socket is told.
  private func refuse(_ socket: SimulatedSocket) {
    guard socket.peer != nil, self.socket(socket.number) === socket else { return }
    socket.error = Errno.connectionRefused.rawValue
    noteSocket(socket)
  }
}
