#if !canImport(Darwin)
  internal import CAsyncIO

  /// The clock for the limits of waits for a condition: the monotonic one.
  enum ConditionClock {
    static var id: clockid_t { CLOCK_MONOTONIC }

    static func set(_ attributes: UnsafeMutablePointer<pthread_condattr_t>) {
      pthread_condattr_setclock(attributes, id)
    }
  }
#endif
