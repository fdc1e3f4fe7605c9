import CAsyncIO
import POSIX

/// How many files this process may have open: for exit tests, which have a process of their own.
enum DescriptorLimit {
  #if canImport(Glibc)
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  #else
    private static let resource = RLIMIT_NOFILE
  #endif

  /// Those that are open stay. Returns the limit from before.
  static func lower(to count: Int) -> rlimit {
    var limit = rlimit()
    getrlimit(resource, &limit)
    let before = limit
    limit.rlim_cur = rlim_t(count)
    set(limit)
    return before
  }

  static func set(_ limit: rlimit) {
    var limit = limit
    setrlimit(resource, &limit)
  }
}
