internal import CAsyncIO
internal import SystemPackage

// Readiness through a completion port, for Windows. WSAPoll looks at every socket in every turn and cannot be ended but
// by a socket; select takes 512 of them. The driver under Winsock (AFD) answers one question about one socket when it
// can, and a watch of the port is such a question: so this selector asks about each socket, and costs what the ready
// ones cost. It is code like any other, and tests run it over io_uring. The traps:
//
// 1. An answer ends its question. What is still of interest is asked for again at the next wait. As the question is
//   about the state, and not about a change, the answer comes at once if nothing has changed: level-triggered.
// 2. A question cannot be changed. If other answers are wanted it is taken back, and asked anew when it has ended.
//   Its record stays until then, even if nobody is interested any more.
// 3. A socket that is closed ends its question. Its number may be another socket's by then, with a question of its
//   own: then the answer about the old one is not reported.
// 4. Only sockets can be asked about. The port would wait for pipes and processes as well, by threads and by reads of
//   nothing, but asyncio's selector loop on Windows has sockets only, and so has this one.

/// The selector of Windows, over the completion port's watches.
///
/// Thread rules as for ``IOSelector``; the unchecked conformance is right because `wake()` uses only the port, which
/// is made for that.
final class PortSelector: IOSelector, @unchecked Sendable {
  private let port: OpaquePointer
  private var sockets: [Int32: PortQuestion] = [:]
  /// What has to be asked at the next wait.
  private var unasked: [PortQuestion] = []
  private let buffer: UnsafeMutableBufferPointer<casyncio_event>
  private static let capacity = 1024

  /// "afd".
  let name = "afd"
  /// False: a question is about a state.
  let supportsEdgeTriggering = false
  /// True: the port's waits are.
  let hasSubMillisecondWaits = true

  /// Make the port. Throws what the system says.
  init() throws(Errno) {
    var made: OpaquePointer?
    var step: Int32 = 0
    let status = casyncio_port_create(nil, &made)
    guard status == 0, let made else { throw Errno(rawValue: -status) }
    port = made
    buffer = .allocate(capacity: Self.capacity)
    // On Windows a port belongs to no thread from here on. A ring would be this thread's, so loops on Linux have epoll.
    let begun = casyncio_port_begin(port, &step)
    guard begun == 0 else {
      casyncio_port_destroy(port)
      throw Errno(rawValue: -begun)
    }
  }

  deinit { buffer.deallocate() }

  /// Ask about the socket from the next wait on. Throws `EPERM` for a file of another kind.
  func register(_ fd: Int32, interest: SelectorFlags, token: UInt64) throws(Errno) {
    var events: UInt32 = 0
    if interest.contains(.readable) { events |= UInt32(CASYNCIO_READABLE) }
    if interest.contains(.writable) { events |= UInt32(CASYNCIO_WRITABLE) }
    let file = try Self.socket(fd)
    if let known = sockets[fd], known.making != file.inode { unregister(fd) }
    let question = sockets[fd] ?? PortQuestion(fd, file.inode)
    sockets[fd] = question
    question.token = token
    question.wanted = events
    if question.isAsked {
      if question.asked != events { casyncio_port_cancel(port, question.record) }
    } else {
      askLater(question)
    }
  }

  private static func socket(_ fd: Int32) throws(Errno) -> casyncio_file {
    var file = casyncio_file()
    let status = casyncio_file_of(fd, &file)
    guard status == 0 else { throw Errno(rawValue: -status) }
    guard file.kind == CASYNCIO_FILE_SOCKET else { throw .notPermitted }
    return file
  }

  private func askLater(_ question: PortQuestion) {
    guard !question.isListed else { return }
    question.isListed = true
    unasked.append(question)
  }

  /// Take the question back; an unknown socket is ignored.
  func unregister(_ fd: Int32) {
    guard let question = sockets.removeValue(forKey: fd) else { return }
    question.wanted = 0
    if question.isAsked { casyncio_port_cancel(port, question.record) }
  }

  /// Take back every question.
  func reset() throws(Errno) {
    for fd in Array(sockets.keys) { unregister(fd) }
  }

  private func askAll() {
    for question in unasked {
      question.isListed = false
      guard question.wanted != 0, !question.isAsked else { continue }
      question.asked = question.wanted
      // Balanced when the answer has been taken.
      question.record.pointee.owner = Unmanaged.passRetained(question).toOpaque()
      casyncio_port_watch(port, question.record, question.fileDescriptor, question.wanted)
    }
    unasked.removeAll(keepingCapacity: true)
  }

  /// Wait at most this many nanoseconds, and fill in what is ready.
  func select(
    timeout: Int64, into events: UnsafeMutableBufferPointer<SelectorEvent>
  ) throws(Errno) -> Int {
    askAll()
    let capacity = min(buffer.count, events.count)
    let n = casyncio_port_reap(port, buffer.baseAddress!, UInt32(capacity), timeout)
    guard n >= 0 else { throw Errno(rawValue: -n) }
    var filled = 0
    for event in buffer.prefix(Int(n)) {
      let question = Unmanaged<PortQuestion>.fromOpaque(event.record.pointee.owner!).takeRetainedValue()
      question.asked = 0
      // Nobody is interested any more.
      guard question.wanted != 0 else { continue }
      askLater(question)
      guard let flags = flags(of: event.result, question) else { continue }
      events[filled] = SelectorEvent(token: question.token, flags: flags)
      filled += 1
    }
    return filled
  }

  /// What the answer says; nil for a question that was taken back to be asked anew.
  private func flags(of result: Int64, _ question: PortQuestion) -> SelectorFlags? {
    guard result >= 0 else { return result == -Int64(ECANCELED) ? nil : .error }
    var flags: SelectorFlags = []
    if result & Int64(CASYNCIO_READABLE) != 0, question.wants(CASYNCIO_READABLE) { flags.insert(.readable) }
    if result & Int64(CASYNCIO_WRITABLE) != 0, question.wants(CASYNCIO_WRITABLE) { flags.insert(.writable) }
    if result & Int64(CASYNCIO_HANGUP) != 0 { flags.insert(.hangup) }
    if result & Int64(CASYNCIO_ERROR) != 0 { flags.insert(.error) }
    return flags.isEmpty ? nil : flags
  }

  /// End the current or the next wait. Any thread.
  func wake() { casyncio_port_wake(port) }

  /// Take back all questions, wait for their ends, and close the port.
  func close() {
    sockets = [:]
    unasked = []
    casyncio_port_cancel_all(port)
    // The driver answers at once. If it does not, the records stay: it may still write to what they stand for.
    for _ in 0..<100 where casyncio_port_in_flight(port) > 0 {
      let n = casyncio_port_reap(port, buffer.baseAddress!, UInt32(buffer.count), 20_000_000)
      guard n >= 0 else { break }
      for event in buffer.prefix(Int(n)) {
        Unmanaged<PortQuestion>.fromOpaque(event.record.pointee.owner!).release()
      }
    }
    casyncio_port_end(port, 1)
    casyncio_port_destroy(port)
  }
}

/// What is asked about one socket. For the loop's thread.
private final class PortQuestion {
  let fileDescriptor: Int32
  /// Which socket the number stood for.
  let making: UInt64
  var token: UInt64 = 0
  /// `CASYNCIO_READABLE` and `CASYNCIO_WRITABLE`: what is of interest, and what the system was asked for; 0 for
  /// nothing.
  var wanted: UInt32 = 0
  var asked: UInt32 = 0
  /// True while it is in the list of what has to be asked.
  var isListed = false
  /// Stays at its place, as the port requires; lives until the answer has come, because the question does.
  let record: UnsafeMutablePointer<casyncio_record>

  init(_ fileDescriptor: Int32, _ making: UInt64) {
    (self.fileDescriptor, self.making) = (fileDescriptor, making)
    record = .allocate(capacity: 1)
    record.initialize(to: casyncio_record())
  }

  deinit { record.deallocate() }

  var isAsked: Bool { asked != 0 }

  func wants(_ event: Int) -> Bool { wanted & UInt32(event) != 0 }
}
