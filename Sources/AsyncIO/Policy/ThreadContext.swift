internal import CAsyncIO
internal import Synchronization

/// The calling thread as a context of a policy: made on first use in a thread, gone with the thread.
///
/// The kernel's thread number will not do: it is reused when its thread has ended, and a later thread would inherit the
/// current loop of an earlier one.
final class ThreadContext: Sendable, CustomStringConvertible {
  /// Unique: two contexts never have the same.
  typealias ID = UInt64

  private static let ids = Atomic<UInt64>(0)

  let id: ID
  let description: String
  private let endings = Lock<[ObjectIdentifier: @Sendable (ID) -> Void]>([:])

  private init() {
    id = Self.ids.add(1, ordering: .relaxed).newValue
    description = casyncio_is_main_thread() != 0 ? "the main thread" : "thread \(casyncio_thread_number())"
  }

  deinit {
    for ending in endings.withLock({ $0.values }) { ending(id) }
  }

  /// The context of the calling thread. (The main thread's lives as long as the process.)
  static var current: ThreadContext {
    if let word = casyncio_thread_word() {
      return Unmanaged<ThreadContext>.fromOpaque(word).takeUnretainedValue()
    }
    let context = ThreadContext()
    casyncio_set_thread_word(Unmanaged.passRetained(context).toOpaque()) {
      Unmanaged<ThreadContext>.fromOpaque($0).release()
    }
    return context
  }

  /// Run a body when the thread ends; once for each owner.
  func whenEnded(by owner: AnyObject, _ body: @escaping @Sendable (ID) -> Void) {
    endings.withLock { $0[ObjectIdentifier(owner)] = body }
  }
}
