internal import AsyncIO

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Musl)
  internal import Musl
#else
  internal import Darwin
#endif

/// Starts a thread of the system: a context without a running loop, which is never the main thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
  final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  #if canImport(Darwin)
    var thread: pthread_t!
  #else
    var thread = pthread_t()
  #endif
  let status = pthread_create(
    &thread, nil,
    { (argument: UnsafeMutableRawPointer?) in
      Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue().body()
      return nil
    }, Unmanaged.passRetained(Start(body)).toOpaque())
  precondition(status == 0, "the system has no thread left for a check")
  pthread_detach(thread)
}

/// Opens once. For threads that block; it is no use in a task.
public final class Gate: @unchecked Sendable {
  // Right because `isOpen` is touched under the mutex only, and both live at fixed places until the deinit.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isOpen = false

  /// A gate that is shut.
  public init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Lets everybody pass, for good.
  public func open() {
    pthread_mutex_lock(mutex)
    isOpen = true
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Blocks until the gate is open.
  public func wait() { _ = wait(for: .seconds(3600)) }

  /// Blocks until the gate is open; `false` if it is not within the limit.
  public func wait(for limit: Duration) -> Bool {
    var deadline = timespec()
    clock_gettime(CLOCK_REALTIME, &deadline)
    let (seconds, attoseconds) = limit.components
    let nanoseconds = Int64(deadline.tv_nsec) + attoseconds / 1_000_000_000
    deadline.tv_sec += Int(seconds + nanoseconds / 1_000_000_000)
    deadline.tv_nsec = Int(nanoseconds % 1_000_000_000)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isOpen {
      if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { break }
    }
    return isOpen
  }
}

/// A thread that others can wait for.
public final class CheckThread<Value: Sendable>: Sendable {
  private let ended = Gate()
  private let value = Lock<Value?>(nil)

  /// Starts it.
  public init(_ body: @escaping @Sendable () -> Value) {
    startThread { [self] in
      let result = body()
      value.withLock { $0 = result }
      ended.open()
    }
  }

  /// What the body returned; nil if it did not within the limit.
  public func wait(for limit: Duration) -> Value? {
    ended.wait(for: limit) ? value.withLock { $0 } : nil
  }

  /// Waits for its end.
  @discardableResult
  public func join() -> Value {
    ended.wait()
    guard let value = value.withLock({ $0 }) else { preconditionFailure("a thread of a check did not end") }
    return value
  }
}
