internal import AsyncIO

// What happens in a world as a list of events, for a picture of it. Unlike the trace, which is a number for all of it
// and words for its end, a recording has the beginning, and knows which message went where and when it arrived. It
// takes no part in the world: no random number, nothing in the trace's hash, so that a seed goes the same way with it
// and without.

/// Keeps what happens in one world at a time. The world's thread writes, and readers wait for its end; the lock makes
/// the conformance right.
package final class WorldRecording: Sendable {
  /// What an event is.
  package enum Kind: String, Sendable { case message, fault, note, failure }

  package struct Event: Sendable {
    /// Nanoseconds since the world began.
    package let time: Int64
    /// Which host it is about, by its place in the list; nil for the whole world.
    package let host: Int?
    package let kind: Kind
    /// Where a message goes, and when it arrives there unless something holds it.
    package var target: Int?
    package var arrival: Int64?
    package let text: String
  }

  private struct State {
    var hosts: [String] = []
    var events: [Event] = []
    var dropped = 0
    var end: Int64 = 0
  }

  /// The most events that are kept: a picture of more shows nothing.
  package let limit: Int
  private let state = Lock(State())

  package init(limit: Int = 20_000) { self.limit = limit }

  /// Forget an earlier world.
  func begin() { state.withLock { $0 = State() } }

  func add(host name: String) { state.withLock { $0.hosts.append(name) } }

  func add(_ event: Event) {
    state.withLock { state in
      state.end = max(state.end, event.time)
      if state.events.count < limit { state.events.append(event) } else { state.dropped += 1 }
    }
  }

  /// Note why the world has failed.
  package func fail(_ failure: SimulationFailure) {
    state.withLock { state in
      // It has a place, however much happened before.
      let time = failure.time.nanoseconds
      state.events.append(
        Event(time: time, host: nil, kind: .failure, text: "\(failure.kind.rawValue): \(failure.message)"))
      state.end = max(state.end, time)
    }
  }

  /// The recording as JSON.
  package func json(scenario: String, seed: UInt64, failure: SimulationFailure?) -> String {
    state.withLock { state in
      func seconds(_ nanoseconds: Int64) -> String { JSON.number(Double(nanoseconds) / 1e9) }
      func place(_ host: Int?) -> String {
        host.flatMap { state.hosts.indices.contains($0) ? "\($0)" : nil } ?? "null"
      }
      let events = state.events.sorted { $0.time < $1.time }.map { event in
        JSON.object([
          ("t", seconds(event.time)), ("host", place(event.host)), ("kind", JSON.string(event.kind.rawValue)),
          ("to", place(event.target)), ("arrives", event.arrival.map(seconds) ?? "null"),
          ("text", JSON.string(event.text)),
        ])
      }
      return JSON.object([
        ("scenario", JSON.string(scenario)), ("seed", JSON.string("\(seed)")), ("duration", seconds(state.end)),
        ("failure", failure.map { JSON.string("\($0.kind.rawValue): \($0.message)") } ?? "null"),
        ("dropped", "\(state.dropped)"),
        ("hosts", JSON.array(state.hosts.map { JSON.string($0) })), ("events", JSON.array(events)),
      ])
    }
  }
}

extension SimulatedNetwork {
  /// Record what the trace has of the world, other than messages, which know where they go.
  func record(_ kind: Trace.Kind, _ a: Int, _ b: Int, _ text: String?) {
    guard let recording else { return }
    let (host, what, words): (Int?, WorldRecording.Kind, String?) =
      switch kind {
      case .fault: (currentHost().index, .fault, text)
      case .weather: (b == 0 && a == 0 ? nil : a, .fault, text)
      case .hostDown: (a, .fault, "the host goes down")
      case .hostUp: (a, .note, "the host comes up")
      case .packetLost: (b, .fault, "\(a) bytes are lost\(text.map { ": \($0)" } ?? "")")
      case .packetHeld: (b, .fault, "a message is held back")
      case .packetArrived: (b, .note, text)
      case .program: (a, .note, text)
      case .note: (nil, .note, text)
      case .bound: (currentHost().index, .note, text.map { "bound to \($0)" })
      case .turn, .packetSent, .socketMade, .socketClosed, .listening, .connected, .accepted, .work: (nil, .note, nil)
      }
    guard let words else { return }
    recording.add(
      WorldRecording.Event(time: now - SimulationInstant.beginning, host: host, kind: what, text: words))
  }

  /// Record a message on its way.
  func record(_ packet: Packet, from sender: SimulatedHost, to target: SimulatedHost, _ bytes: Int, arrives: Int64) {
    guard let recording else { return }
    let text =
      switch packet {
      case .connect: "connect"
      case .accepted: "accepted"
      case .refused: "refused"
      case .bytes: bytes == 1 ? "1 byte" : "\(bytes) bytes"
      case .end: "the end"
      case .reset: "a reset"
      case .room: "room for more"
      case .datagram: "a datagram of \(bytes) bytes"
      case .unreachable: "unreachable"
      }
    recording.add(
      WorldRecording.Event(
        time: now - SimulationInstant.beginning, host: sender.index, kind: .message, target: target.index,
        arrival: arrives - SimulationInstant.beginning, text: text))
  }
}

extension SimulationWorld {
  /// Record what happens from here on, the world's hosts first.
  package func record(into recording: WorldRecording) {
    recording.begin()
    for host in network.hosts { recording.add(host: host.name) }
    network.recording = recording
  }
}
