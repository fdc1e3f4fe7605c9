import CAsyncIO
import POSIX

/// The system refuses from `take` to `giveBack`, in this process only.
enum Limit: String {
  /// No more threads and no more processes: what the pids limit of a container does.
  case threads
  /// No room for the stack of another thread, nor for another mapping of a size.
  case memory
  /// No more descriptors.
  case descriptors

  private static let unlimited = Room()

  /// What was allowed before.
  private final class Room: @unchecked Sendable {
    // Right because the cases set and lift limits in one thread.
    var limits: [Int32: rlimit] = [:]
  }

  func take() {
    switch self {
    case .threads:
      Self.becomeOrdinaryUser()
      Self.lower(Int32(__RLIMIT_NPROC.rawValue), to: 1)
    case .memory: Self.lower(Int32(RLIMIT_AS.rawValue), to: rlim_t(Self.mappedBytes + 4_000_000))
    case .descriptors: Self.lower(Int32(RLIMIT_NOFILE.rawValue), to: 3)
    }
  }

  /// Limits of processes do not bind the superuser. There is nobody else with this number.
  static func becomeOrdinaryUser() { if geteuid() == 0 { setuid(54_321) } }

  func giveBack() {
    for (resource, before) in Self.unlimited.limits {
      var before = before
      setrlimit(__rlimit_resource_t(UInt32(resource)), &before)
    }
    Self.unlimited.limits = [:]
  }

  /// Take what is left, but for the room of small things, so that no thread finds room for a stack.
  static func fillMemory() -> [UnsafeMutableRawPointer] {
    var pieces: [UnsafeMutableRawPointer] = []
    while true {
      guard let piece = mmap(nil, pieceSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), piece != MAP_FAILED
      else { return pieces }
      pieces.append(piece)
    }
  }

  static func freeMemory(_ pieces: [UnsafeMutableRawPointer]) { for piece in pieces { munmap(piece, pieceSize) } }

  private static let pieceSize = 1 << 20

  private static func lower(_ resource: Int32, to value: rlim_t) {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(UInt32(resource)), &limit)
    unlimited.limits[resource] = limit
    limit.rlim_cur = value
    setrlimit(__rlimit_resource_t(UInt32(resource)), &limit)
  }

  private static var mappedBytes: Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var pages = 0
    withUnsafeMutablePointer(to: &pages) { place in _ = withVaList([place]) { vfscanf(file, "%ld", $0) } }
    return pages * 4096
  }

  /// Whether the system says no to another thread, as it is to do.
  static var refusesThreads: Bool {
    var thread = pthread_t()
    guard pthread_create(&thread, nil, { _ in nil }, nil) == 0 else { return true }
    pthread_join(thread, nil)
    return false
  }
}
