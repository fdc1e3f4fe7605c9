#if canImport(Glibc)
  import CAsyncIO
  import CSimulation
  import POSIX
  import Testing

  /// What the clock costs threads that run no simulation, in a program that links one: a definition of its own stands
  /// before the C library's, and must hand on what no simulation asks without a detour.
  @Suite(.disabled(if: isThreadSanitized || isAddressSanitized, "sanitizers have a clock of their own"))
  struct ClockCostTests {
    private typealias Clock = @convention(c) (clockid_t, UnsafeMutablePointer<timespec>) -> Int32

    private static let batches = 51
    private static let calls = 10_000

    /// The C library's own, whatever stands before it. Not found by csimulation_real_nanoseconds, which would make the
    /// same detour.
    private func systemClock() throws -> Clock {
      let library = try #require(dlopen("libc.so.6", RTLD_NOW))
      return unsafeBitCast(try #require(dlsym(library, "clock_gettime")), to: Clock.self)
    }

    @Test("A clock outside of a simulation costs what the system's costs; a system call would be several times that")
    func cost() throws {
      let system = try systemClock()
      var time = timespec()
      func nanoseconds(_ body: () -> Void) -> Int {
        var (before, after) = (timespec(), timespec())
        _ = system(CLOCK_MONOTONIC, &before)
        for _ in 0..<Self.calls { body() }
        _ = system(CLOCK_MONOTONIC, &after)
        return (after.tv_sec - before.tv_sec) * 1_000_000_000 + after.tv_nsec - before.tv_nsec
      }
      var (direct, swift, own): ([Int], [Int], [Int]) = ([], [], [])
      var latest = ContinuousClock.now
      var sum: Int64 = 0
      // In turns, so that a busy machine slows all of them; the medians forget batches that were interrupted.
      for _ in 0..<Self.batches {
        direct.append(nanoseconds { _ = system(CLOCK_MONOTONIC, &time) })
        swift.append(nanoseconds { latest = ContinuousClock.now })
        own.append(nanoseconds { sum &+= csimulation_real_nanoseconds() })
      }
      let medians = [direct, swift, own].map { Double($0.sorted()[Self.batches / 2]) / Double(Self.calls) }
      let comment: Comment = "a call takes \(medians[0]) ns, ContinuousClock \(medians[1]), ours \(medians[2])"
      #expect(medians[1] < 3 * medians[0], comment)
      #expect(medians[2] < 3 * medians[0], comment)
      #expect(latest <= .now && sum != 0)
    }
  }
#endif
