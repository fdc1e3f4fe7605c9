internal import CAsyncIO

// Handles of `callSoon` are used again.
//
// A callback costs an object, because its caller may want to cancel it. Most callers do not, and then nothing else
// references the handle once its callback has run: freeing it and allocating the same again for the next callback is
// half of what a callback costs. So the loop keeps the handle, if it is certain that nothing else has it. Then nobody
// can cancel it either, so its callback runs without the exchange of its state, and the handle is free for the first
// callback that this one schedules. Nor is a reference counted that the loop can set: a spare handle has two, one for
// the queue and one for the caller of `callSoon`.
//
// The traps, and what is done:
// - *Other code has a weak or an unowned reference*, and would find the next callback's handle behind it. It is not
//   enough that the loop has the only strong reference, which is what `isKnownUniquelyReferenced` tells. The word in
//   which the runtime counts all references of an object is compared with that of an object fresh from the allocator:
//   they are equal only if nothing but its one owner references it.
// - *That word belongs to the runtime.* `Base/Runtime` tries out where it is and that it reveals weak and unowned
//   references, and if that fails no handle is used again.
// - *Another thread had the handle* and released it: the word is read with acquire, as a release of a reference
//   releases. The thread sanitizer sees neither, so under it no handle is used again.

/// Handles that nothing else references. Loop thread only.
struct SpareHandles: ~Copyable {
  /// As many as a busy turn has callbacks.
  private static var limit: Int { 1024 }

  private let words = isUnused ? nil : ReferenceCounts.words
  private var handles: UnsafeMutablePointer<Unmanaged<Handle>>?
  private var count = 0

  /// True if no handle is used again in this process.
  static var isUnused: Bool { casyncio_has_thread_sanitizer() != 0 || ReferenceCounts.words == nil }

  deinit {
    for index in 0..<count {
      handles?[index].release()
      handles?[index].release()
    }
    handles?.deallocate()
  }

  /// Return a handle for the callback, with two references, or nil if there is none.
  @inline(__always)
  mutating func take() -> Unmanaged<Handle>? {
    guard count > 0, let handles else { return nil }
    count -= 1
    return handles[count]
  }

  /// True for a handle that nothing but one reference of the loop's refers to, and that can be used again.
  @inline(__always)
  func isSole(_ handle: Unmanaged<Handle>) -> Bool {
    guard let words, ReferenceCounts.of(handle.toOpaque()) == words.one else { return false }
    return handle._withUnsafeGuaranteedRef { $0.isPlain }
  }

  /// Take over the reference to such a handle, whose callback was taken, to use it again or to release it.
  @inline(__always)
  mutating func putSole(_ handle: Unmanaged<Handle>) {
    guard count < Self.limit, let words else { return handle.release() }
    ReferenceCounts.set(handle.toOpaque(), to: words.two)
    if handles == nil { handles = .allocate(capacity: Self.limit) }
    handles![count] = handle
    count += 1
  }

  /// Take over a reference to a handle that is done with, to use it again or to release it.
  @inline(__always)
  mutating func put(_ handle: Unmanaged<Handle>) {
    if isSole(handle) { putSole(handle) } else { handle.release() }
  }
}
