#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Compute for this many nanoseconds of the calling thread's own time: what other threads take of the core meanwhile
/// does not count, so the work is the same for everybody. Exact to one reading of the clock, some 200 ns.
public func compute(nanoseconds: Int) {
  let end = threadTime() + nanoseconds
  while threadTime() < end {}
}

private func threadTime() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return time.tv_sec * 1_000_000_000 + time.tv_nsec
}
