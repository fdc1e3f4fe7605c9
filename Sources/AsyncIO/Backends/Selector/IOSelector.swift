internal import CAsyncIO
public import SystemPackage

/// What a selector reports, and what it is asked to report.
public struct SelectorFlags: OptionSet, Sendable {
  /// A bit for each flag.
  public let rawValue: UInt32
  /// Create flags from their bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// A receive or an accept may succeed.
  public static let readable = SelectorFlags(rawValue: 1)
  /// A send may succeed.
  public static let writable = SelectorFlags(rawValue: 2)
  /// Reported, and by this package's own selectors requested: the peer will send no more.
  public static let hangup = SelectorFlags(rawValue: 4)
  /// Reported, and by this package's own selectors requested alone: the descriptor failed.
  public static let error = SelectorFlags(rawValue: 8)
  /// Requested only: report changes, not states.
  public static let edge = SelectorFlags(rawValue: 16)
  /// Requested and reported: an urgent byte is in the queue, at which a receive stops. On its own it brings nothing to
  /// receive.
  public static let urgent = SelectorFlags(rawValue: 32)
}

/// One report: the token given at registration, and what happened.
public struct SelectorEvent: Sendable {
  /// The token of the registration.
  public var token: UInt64
  /// What happened.
  public var flags: SelectorFlags
  /// Create a report for the registration with this token.
  public init(token: UInt64, flags: SelectorFlags) {
    self.token = token
    self.flags = flags
  }
}

/// A readiness mechanism: the part of a selector loop that differs between epoll, poll and their kin. Give your own
/// to `SelectorEventLoop(selector:)`.
///
/// Hang-up and error are reported even if nothing was requested, as the kernel does; a descriptor with an empty
/// interest is not registered at all, so it cannot spin. All calls come from the thread that runs the loop, except
/// ``wake()``. Answers asyncio's `selectors.BaseSelector`.
public protocol IOSelector: AnyObject {
  /// A short name for reports.
  var name: String { get }
  /// True if `.edge` is honoured. If not, every registration reports states.
  var supportsEdgeTriggering: Bool { get }
  /// True if `.urgent` is honoured. If a selector of changes returns false, each burst of bytes costs one more call,
  /// the one that finds nothing. False unless it is implemented.
  var reportsUrgentData: Bool { get }
  /// True if waits are exact to less than a millisecond.
  var hasSubMillisecondWaits: Bool { get }

  /// Start to report on a descriptor, or change what is reported. Throws `EPERM` if the descriptor cannot be waited
  /// for.
  func register(_ fileDescriptor: Int32, interest: SelectorFlags, token: UInt64) throws(Errno)
  /// Stop reporting. Unknown descriptors are ignored.
  func unregister(_ fileDescriptor: Int32)
  /// Return whether the number still names the file that was registered under it with this interest and token. It does
  /// not if it was closed, and perhaps reused, while the file lives on elsewhere. Asked before a callback that gets
  /// only the number. A selector that keeps no registrations in the kernel returns true, and leaves the question to the
  /// backend.
  func namesRegisteredFile(_ fileDescriptor: Int32, interest: SelectorFlags, token: UInt64) -> Bool
  /// Forget every registration, including those that the kernel keeps for descriptors that were closed here but live on
  /// in another process. The caller registers again what it still wants.
  func reset() throws(Errno)

  /// Wait and fill `events`. The timeout is in nanoseconds; negative waits for ever. An interrupted wait reports 0.
  func select(timeout: Int64, into events: UnsafeMutableBufferPointer<SelectorEvent>) throws(Errno) -> Int
  /// End the current or the next wait. Any thread, even a signal handler.
  func wake()
  /// Release the mechanism.
  func close()
}

extension IOSelector {
  /// Return true: the kernel keeps nothing of a number that is closed.
  public func namesRegisteredFile(_ fileDescriptor: Int32, interest: SelectorFlags, token: UInt64) -> Bool { true }
  /// False.
  public var reportsUrgentData: Bool { false }
}

/// A selector of states that reports an end where `.hangup` alone is requested.
protocol EndReportingSelector: IOSelector {}
