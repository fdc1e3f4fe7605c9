#if canImport(Darwin)
  internal import CAsyncIO

  /// The clock for the limits of waits for a condition: Darwin's conditions know only the date's clock.
  enum ConditionClock {
    static var id: clockid_t { CLOCK_REALTIME }

    static func set(_ attributes: UnsafeMutablePointer<pthread_condattr_t>) {}
  }
#endif
