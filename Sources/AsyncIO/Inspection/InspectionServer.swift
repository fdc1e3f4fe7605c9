internal import CAsyncIO
internal import SystemPackage

// The thread that answers those who look at the process. It is a thread of its own, with a poll of its own and no loop:
// it has to answer while every loop hangs. The traps:
//
// - Nothing that a client does may cost a loop anything. A request is a line of a few bytes, an answer is bounded, and
//   the loops are asked at most some times a second: a client that comes sooner gets what the last one got.
// - A client may come and say nothing, or never read. Each has a few seconds, and there are few at a time; the others
//   wait in the backlog.
// - Rights on a socket's file are not enough everywhere. So the peer's user is asked for as well; the user of the
//   process and the administrator may look.

/// Serves one socket until it is told to stop.
///
/// Its thread is alone with everything but the two descriptors, which do not change while it lives; that is what makes
/// the unchecked conformance right.
final class InspectionServer: @unchecked Sendable {
  private struct Client {
    var socket: Int32
    var dialogue = InspectionExchange()
    /// In monotonic nanoseconds.
    let deadline: Int64
  }

  private static var mostClients: Int { 8 }
  private static var patience: Int64 { 5_000_000_000 }
  /// How long a loop has for its answer.
  private static var loopPatience: Int64 { 200_000_000 }
  private static var freshness: Int64 { 50_000_000 }
  /// How long no connection is accepted when the system has no descriptor for it.
  private static var pause: Int64 { 1_000_000_000 }
  private static var mostWaits: Int { 20_000 }

  let path: String
  private let listening: Int32
  private let wake: WakeDescriptor
  private let began = MonotonicTime.now
  /// The user at the beginning: a process that changes its user later does not open itself to the new one.
  private let user = casyncio_user()
  private let ended = ThreadGate()
  private var clients: [Client] = []
  private var acceptsFrom: Int64 = 0
  private var latest: (text: String, limit: Int, taken: Int64)?

  /// Begin to serve. Throws `IOError` if the system refuses the socket or the thread.
  init(directory: String) throws {
    path = InspectionDirectory.socket(of: casyncio_process_number(), in: directory)
    let address = try SocketAddress(unixPath: path)
    // A process that had the same number has left it.
    _ = casyncio_remove(path)
    let sockets = SystemSockets.shared
    listening = sockets.socket(AF_UNIX, casyncio_stream_type, 0)
    guard listening >= 0 else { throw IOError(result: Int(listening), "offer inspection", path) }
    do {
      try sockets.bind(listening, to: address)
      try sockets.listen(listening, backlog: 16, address)
      do throws(Errno) { wake = try WakeDescriptor() } catch { throw IOError(error, "offer inspection", path) }
    } catch {
      sockets.close(listening)
      throw error
    }
    _ = casyncio_remove_at_end(path)
    do throws(Errno) {
      try Thread.detach(name: "asyncio inspect") { [self] in serve() }
    } catch {
      sockets.close(listening)
      wake.close()
      _ = casyncio_remove(path)
      throw IOError.noThread(error, for: "inspection")
    }
  }

  /// Stop, and wait until the socket is gone.
  func stop() {
    _ = casyncio_remove(path)
    _ = casyncio_remove_at_end(nil)
    wake.signal()
    ended.wait()
    wake.close()
  }

  /// Forget it in a child of a fork, which has its numbers and not its thread.
  func abandon() {
    SystemSockets.shared.close(listening)
    wake.close()
  }

  // MARK: The thread

  private func serve() {
    while true {
      var entries = [casyncio_poll_entry(fd: wake.readEnd, events: Int16(POLLIN), returned: 0)]
      let isPausing = acceptsFrom > MonotonicTime.now
      let accepts = clients.count < Self.mostClients && !isPausing
      entries.append(casyncio_poll_entry(fd: accepts ? listening : -1, events: Int16(POLLIN), returned: 0))
      for client in clients {
        let events = client.dialogue.step == .send ? POLLOUT : POLLIN
        entries.append(casyncio_poll_entry(fd: client.socket, events: Int16(events), returned: 0))
      }
      let deadline = (clients.map(\.deadline) + (isPausing ? [acceptsFrom] : [])).min()
      _ = casyncio_poll(&entries, entries.count, deadline.map { MonotonicTime.remaining(to: $0) } ?? -1)
      if entries[0].returned != 0 { break }
      let now = MonotonicTime.now
      clients = zip(clients, entries.dropFirst(2)).compactMap { client, entry in
        if entry.returned != 0 { return goOn(client) }
        if client.deadline <= now { return leave(client) }
        return client
      }
      if entries[1].returned != 0 { accept() }
    }
    for client in clients { _ = leave(client) }
    SystemSockets.shared.close(listening)
    ended.open()
  }

  private func accept() {
    let socket = SystemSockets.shared.accept(listening)
    guard socket >= 0 else {
      // A connection that stays in the backlog would wake this thread again at once.
      if socket != -EAGAIN && socket != -ECONNABORTED && socket != -EINTR {
        acceptsFrom = MonotonicTime.after(Self.pause)
      }
      return
    }
    let user = casyncio_peer_user(socket)
    guard user == self.user || user == 0 else { return SystemSockets.shared.close(socket) }
    clients.append(Client(socket: socket, deadline: MonotonicTime.after(Self.patience)))
  }

  private func leave(_ client: Client) -> Client? {
    SystemSockets.shared.close(client.socket)
    return nil
  }

  /// Do what the client is ready for. Returns nil if it has gone.
  private func goOn(_ client: Client) -> Client? {
    var client = client
    var step = client.dialogue.step
    while true {
      switch step {
      case .receive:
        var memory = [UInt8](repeating: 0, count: 1024)
        let count = memory.withUnsafeMutableBytes { receiveBytes(client.socket, $0.baseAddress, $0.count) }
        if count == -Int(EAGAIN) { return client }
        step = client.dialogue.received(memory[..<max(0, count)])
      case .look(let limit): step = client.dialogue.answer(look(limit))
      case .send:
        let count = client.dialogue.withUnsent { sendBytes(client.socket, $0.baseAddress, $0.count) }
        if count == -Int(EAGAIN) { return client }
        guard count >= 0 else { return leave(client) }
        step = client.dialogue.sent(count)
      case .end: return leave(client)
      }
    }
  }

  // MARK: The answer

  private func look(_ limit: Int) -> String {
    var now = MonotonicTime.now
    if let latest, case let age = now - latest.taken, age < Self.freshness {
      if latest.limit == limit { return latest.text }
      // Another limit is another look, which waits its turn.
      _ = casyncio_poll(nil, 0, Self.freshness - age)
      now = MonotonicTime.now
    }
    let text = Self.report(limit: limit, age: now - began).text
    latest = (text, limit, MonotonicTime.now)
    return text
  }

  /// Look at all loops of the process.
  static func report(limit: Int, age: Int64) -> InspectionReport {
    let gauges = LoopCensus.gauges
    let interiors = InteriorCall().look(gauges, limit: limit, until: MonotonicTime.after(loopPatience))
    let waits = WaitRecords.shared.some(mostWaits)
    let loops = gauges.compactMap { gauge in
      LoopInspection(gauge, interiors[gauge.number], limit: limit, waits: waits).report()
    }
    let path = CommandLine.argc > 0 ? CommandLine.unsafeArgv[0].map { String(cString: $0) } : nil
    let program = path?.split(separator: "/").last.map(String.init) ?? "unknown"
    return InspectionReport(
      process: .init(
        pid: Int(casyncio_process_number()), program: program, age: LoopInspection.inSeconds(age)),
      clock: LoopInspection.inSeconds(MonotonicTime.now), loops: loops)
  }
}
