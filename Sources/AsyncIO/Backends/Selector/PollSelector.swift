internal import CAsyncIO
internal import SystemPackage

// The traps of poll(2), and what is done about each here.
//
// 1. The kernel keeps nothing: the whole set goes in with every call. The cost grows with the number of descriptors,
//    so this selector is the portable one and the one for small programs, not the fast one.
// 2. POLLHUP, POLLERR and POLLNVAL are reported for every entry, whatever was requested. So an entry exists only while
//   an operation or a watch waits for it.
// 3. A closed number in the set returns POLLNVAL for ever. It is reported as an error; the waiter then finds EBADF by
//   its own call, which ends the reports.

/// The selector for any POSIX system, over poll(2).
///
/// Thread rules as for ``IOSelector``; the unchecked conformance is right because `wake()` uses only a descriptor that
/// does not change.
final class PollSelector: EndReportingSelector, @unchecked Sendable {
  private var entries: [casyncio_poll_entry] = []
  private var tokens: [UInt64] = []
  private var positions: [Int32: Int] = [:]
  private let wakeDescriptor: WakeDescriptor
  private let endFlag = Int16(casyncio_poll_end_flag())

  /// "poll".
  let name = "poll"
  /// False: `poll` knows states only.
  let supportsEdgeTriggering = false
  /// True if the system has `ppoll`.
  let hasSubMillisecondWaits = casyncio_poll_is_exact() != 0

  /// Create the set and its wake descriptor. Throws the errno of the step that failed.
  init() throws(Errno) {
    wakeDescriptor = try WakeDescriptor()
    append(wakeDescriptor.readEnd, Int16(POLLIN), WakeDescriptor.token)
  }

  private func append(_ fd: Int32, _ events: Int16, _ token: UInt64) {
    positions[fd] = entries.count
    entries.append(casyncio_poll_entry(fd: fd, events: events, returned: 0))
    tokens.append(token)
  }

  /// Add the descriptor to the set or change its interest.
  func register(_ fd: Int32, interest: SelectorFlags, token: UInt64) throws(Errno) {
    var events: Int16 = 0
    if interest.contains(.readable) { events |= Int16(POLLIN) }
    if interest.contains(.writable) { events |= Int16(POLLOUT) }
    if interest.contains(.hangup) { events |= endFlag }
    if let position = positions[fd] {
      entries[position].events = events
      tokens[position] = token
    } else {
      append(fd, events, token)
    }
  }

  /// Remove the descriptor from the set; an unknown one is ignored.
  func unregister(_ fd: Int32) {
    guard let position = positions.removeValue(forKey: fd) else { return }
    let last = entries.count - 1
    if position != last {
      entries.swapAt(position, last)
      tokens.swapAt(position, last)
      positions[entries[position].fd] = position
    }
    entries.removeLast()
    tokens.removeLast()
  }

  /// Empty the set.
  func reset() throws(Errno) {
    entries.removeAll(keepingCapacity: true)
    tokens.removeAll(keepingCapacity: true)
    positions.removeAll(keepingCapacity: true)
    append(wakeDescriptor.readEnd, Int16(POLLIN), WakeDescriptor.token)
  }

  /// Wait at most this many nanoseconds, and fill in what is ready. An interrupted wait reports 0.
  func select(
    timeout: Int64, into events: UnsafeMutableBufferPointer<SelectorEvent>
  ) throws(Errno) -> Int {
    let n = entries.withUnsafeMutableBufferPointer { casyncio_poll($0.baseAddress, $0.count, timeout) }
    guard n >= 0 else {
      if n == -EINTR { return 0 }
      throw Errno(rawValue: -n)
    }
    var left = Int(n)
    var filled = 0
    for i in entries.indices where left > 0 && entries[i].returned != 0 {
      left -= 1
      if tokens[i] == WakeDescriptor.token {
        wakeDescriptor.drain()
      } else if filled < events.count {
        events[filled] = SelectorEvent(token: tokens[i], flags: flags(of: entries[i].returned))
        filled += 1
      }
    }
    return filled
  }

  private func flags(of revents: Int16) -> SelectorFlags {
    var flags: SelectorFlags = []
    if revents & Int16(POLLIN) != 0 { flags.insert(.readable) }
    if revents & Int16(POLLOUT) != 0 { flags.insert(.writable) }
    if revents & (Int16(POLLHUP) | endFlag) != 0 { flags.insert(.hangup) }
    if revents & Int16(POLLERR | POLLNVAL) != 0 { flags.insert(.error) }
    return flags
  }

  /// End the current or the next wait. Any thread, even a signal handler.
  func wake() { wakeDescriptor.signal() }

  /// Close the wake descriptor.
  func close() { wakeDescriptor.close() }
}
