internal import CAsyncIO

/// The system's monotonic clock, for times that outlive a loop and its own clock.
package enum MonotonicTime {
  /// In nanoseconds.
  package static var now: Int64 { casyncio_monotonic_nanoseconds() }

  package static func after(_ delay: Int64) -> Int64 {
    let (time, overflow) = casyncio_monotonic_nanoseconds().addingReportingOverflow(delay)
    return overflow ? .max : time
  }

  /// Return the nanoseconds from now to a time; 0 if the time has passed.
  static func remaining(to time: Int64) -> Int64 {
    let now = casyncio_monotonic_nanoseconds()
    return time > now ? time - now : 0
  }
}
