#if canImport(Darwin)
  internal import CAsyncIO

  /// The clock that the limits of waits for a condition count on: Darwin's conditions know the date's clock only.
  enum ConditionClock {
    static var id: clockid_t { CLOCK_REALTIME }

    static func set(_ attributes: UnsafeMutablePointer<pthread_condattr_t>) {}
  }
#endif
