// A readiness mechanism of one's own: plain poll(2) over a list. With it SelectorEventLoop is a whole event loop:
// callbacks, timers, tasks, streams, signals.

import AsyncIO
import SystemPackage

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Waits by poll(2).
///
/// The loop's thread makes all calls but `wake`, which uses nothing but a descriptor that does not change; that is what
/// makes the unchecked conformance right.
final class ListSelector: IOSelector, @unchecked Sendable {
  let name = "list"
  let supportsEdgeTriggering = false
  /// poll(2) takes milliseconds.
  let hasSubMillisecondWaits = false

  private var interests: [Int32: (events: Int16, token: UInt64)] = [:]
  /// A pipe whose one use is to end a wait.
  private let wakeReader: Int32
  private let wakeWriter: Int32

  init() throws(Errno) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Errno(rawValue: errno) }
    wakeReader = try Self.aboveStandard(ends[0])
    wakeWriter = try Self.aboveStandard(ends[1])
    for end in [wakeReader, wakeWriter] {
      // A full pipe must not block who wakes: what is in it wakes the loop already.
      _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
  }

  /// Give the file of a number another one, of 3 and up. Where a standard stream is closed its number is free, and
  /// children would take a wake pipe under it for their input or output.
  private static func aboveStandard(_ number: Int32) throws(Errno) -> Int32 {
    guard number < 3 else { return number }
    let other = fcntl(number, F_DUPFD, 3)
    guard other >= 0 else { throw Errno(rawValue: errno) }
    closeDescriptor(number)
    return other
  }

  func register(_ fileDescriptor: Int32, interest: SelectorFlags, token: UInt64) throws(Errno) {
    var events: Int16 = 0
    if interest.contains(.readable) { events |= Int16(POLLIN) }
    if interest.contains(.writable) { events |= Int16(POLLOUT) }
    interests[fileDescriptor] = (events, token)
  }

  func unregister(_ fileDescriptor: Int32) { interests[fileDescriptor] = nil }

  func reset() throws(Errno) { interests = [:] }

  func select(timeout: Int64, into events: UnsafeMutableBufferPointer<SelectorEvent>) throws(Errno) -> Int {
    var list = interests.map { pollfd(fd: $0.key, events: $0.value.events, revents: 0) }
    list.append(pollfd(fd: wakeReader, events: Int16(POLLIN), revents: 0))
    // Rounded up: a timer must not be early, and a wait that is too short would spin.
    let milliseconds = timeout < 0 ? -1 : Int32(clamping: timeout / 1_000_000 + (timeout % 1_000_000 > 0 ? 1 : 0))
    guard poll(&list, nfds_t(list.count), milliseconds) >= 0 else {
      if errno == EINTR { return 0 }
      throw Errno(rawValue: errno)
    }
    if list.removeLast().revents != 0 { drain() }
    var count = 0
    // What does not fit is reported by the next wait: poll tells states, not changes.
    for entry in list where entry.revents != 0 && count < events.count {
      guard let token = interests[entry.fd]?.token else { continue }
      events[count] = SelectorEvent(token: token, flags: flags(of: entry.revents))
      count += 1
    }
    return count
  }

  private func flags(of events: Int16) -> SelectorFlags {
    var flags: SelectorFlags = []
    if events & Int16(POLLIN) != 0 { flags.insert(.readable) }
    if events & Int16(POLLOUT) != 0 { flags.insert(.writable) }
    if events & Int16(POLLHUP) != 0 { flags.insert(.hangup) }
    if events & Int16(POLLERR | POLLNVAL) != 0 { flags.insert(.error) }
    return flags
  }

  func wake() {
    var byte: UInt8 = 0
    _ = write(wakeWriter, &byte, 1)
  }

  private func drain() {
    var bytes: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    while read(wakeReader, &bytes, 32) == 32 {}
  }

  func close() {
    closeDescriptor(wakeReader)
    closeDescriptor(wakeWriter)
  }
}

/// The system's `close`, which the method of that name hides.
private func closeDescriptor(_ descriptor: Int32) { _ = close(descriptor) }
