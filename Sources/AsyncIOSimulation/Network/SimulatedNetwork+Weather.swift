// What goes wrong between hosts by itself: partitions and clogs that come and go.

extension SimulatedNetwork {
  /// The average time until the weather changes.
  private static var season: Duration { .seconds(2) }

  /// Begin the weather, once there are two hosts.
  func beginWeather() {
    let kinds: [FaultClass] = [.partitions, .oneWayPartitions, .clogs]
    guard kinds.contains(where: { faults.plan[$0] > 0 }) else { return }
    events.schedule(.weather, at: now + random.around(Self.season.nanoseconds))
  }

  func changeWeather() {
    guard !isHealed else { return }
    events.schedule(.weather, at: now + random.around(Self.season.nanoseconds))
    // The first one is the host of programs that name none.
    guard hosts.count > 2 else { return }
    if strike(.partitions), let (a, b) = pair(for: .partitions) {
      cut(link(a, b), for: faults.duration(around: .seconds(1), for: .partitions))
      cut(link(b, a), for: faults.duration(around: .seconds(1), for: .partitions))
    }
    if strike(.oneWayPartitions), let (a, b) = pair(for: .oneWayPartitions) {
      cut(link(a, b), for: faults.duration(around: .seconds(1), for: .oneWayPartitions))
    }
    if strike(.clogs), let (a, b) = pair(for: .clogs) {
      clog(link(a, b), for: faults.duration(around: .milliseconds(500), for: .clogs))
    }
  }

  /// Draw two hosts by chance.
  private func pair(for kind: FaultClass) -> (SimulatedHost, SimulatedHost)? {
    let a = 1 + faults.number(below: hosts.count - 1, for: kind)
    let b = 1 + faults.number(below: hosts.count - 1, for: kind)
    return a == b ? nil : (hosts[a], hosts[b])
  }

  private func cut(_ link: Link, for time: Int64) {
    link.storms += 1
    noteCut(link)
    events.schedule(.mend(link), at: now + time)
  }

  /// End a partition of the weather.
  func passStorm(_ link: Link) {
    // None, if it was mended meanwhile.
    guard link.storms > 0 else { return }
    link.storms -= 1
    noteMended(link)
  }

  // MARK: Links

  func cut(_ link: Link) {
    link.isParted = true
    noteCut(link)
  }

  private func noteCut(_ link: Link) {
    note(.weather, link.from.index, link.to.index, "\(link.from.name) to \(link.to.name) is cut")
  }

  /// Make the link work again, and let what was held back arrive.
  func mend(_ link: Link) {
    guard link.isCut else { return }
    link.isParted = false
    link.storms = 0
    noteMended(link)
  }

  private func noteMended(_ link: Link) {
    guard !link.isCut else { return }
    note(.weather, link.from.index, link.to.index, "\(link.from.name) to \(link.to.name) works again")
    if link.cloggedUntil <= now { release(link) }
  }

  func clog(_ link: Link, for time: Int64) {
    link.cloggedUntil = max(link.cloggedUntil, later(time))
    note(.weather, link.from.index, link.to.index, "\(link.from.name) to \(link.to.name) is clogged")
    events.schedule(.unclog(link), at: link.cloggedUntil)
  }

  /// Let what was held back arrive, unless something else holds it.
  func unclog(_ link: Link) {
    if !link.isCut, link.cloggedUntil <= now { release(link) }
  }

  /// Mend what is wrong, and let nothing go wrong from here on.
  func heal() {
    isHealed = true
    faults.stop()
    note(.weather, 0, 0, "healed")
    for link in allLinks {
      mend(link)
      if link.cloggedUntil > now {
        link.cloggedUntil = 0
        release(link)
      }
    }
  }

  // MARK: Hosts

  /// Crash the host from one moment to the next; nothing is told.
  func crash(_ host: SimulatedHost) {
    guard host.isUp else { return }
    note(.hostDown, host.index, 0, host.name)
    host.isUp = false
    host.leaveAll()
    for case let socket? in sockets where socket.host === host {
      for end in [socket.stream].compactMap(\.self) + (socket.listener?.queue ?? []) {
        end.shut()
        end.received.removeAll()
        end.error = 0
        end.socket = nil
      }
      if case .connecting(let attempt) = socket.role { attempt.isOver = true }
      // What its programs still do with the socket fails, and has no effect elsewhere.
      socket.role = .fresh
      socket.error = 0
      socket.isDead = true
      noteSocket(socket)
    }
  }

  func restart(_ host: SimulatedHost) {
    guard !host.isUp else { return }
    note(.hostUp, host.index, 0, host.name)
    host.isUp = true
  }
}
