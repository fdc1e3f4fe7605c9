internal import CAsyncIO

// Handles of `callSoon` are used again.
//
// A callback costs an object, because its caller may want to cancel it. Most callers do not, and then the object is
// nobody's as soon as the callback has run: to free it and to allocate the same again for the next callback is half of
// what a callback costs. So the loop keeps it, if it is certain that nobody else has it.
//
// The traps, and what is done:
// - *Somebody has a weak or an unowned reference*, and would find the next callback's handle behind it. That the loop
//   has the only strong reference, which is what `isKnownUniquelyReferenced` tells, is not enough. The word in which
//   the runtime counts all references of an object is compared with that of an object fresh from the allocator: they
//   are equal only if nobody but its one owner knows it.
// - *That word is the runtime's business.* Where it stands and that it tells weak and unowned references is tried out
//   once, and if it is not so no handle is used again.
// - *Another thread had the handle* and released it: the word is read with acquire, as a release of a reference
//   releases. The thread sanitizer sees neither, so under it no handle is used again.

/// Handles that nobody has any more. Loop thread only.
struct SpareHandles: ~Copyable {
  /// As many as a busy turn has callbacks.
  private static var limit: Int { 1024 }

  private let fresh = References.ofFresh
  private var handles: UnsafeMutablePointer<Unmanaged<Handle>>?
  private var count = 0

  /// No handle is used again in this process.
  static var isUnused: Bool { References.ofFresh == nil }

  deinit {
    for index in 0..<count { handles?[index].release() }
    handles?.deallocate()
  }

  /// A handle for the callback, or nil if there is none.
  @inline(__always)
  mutating func take() -> Handle? {
    guard count > 0, let handles else { return nil }
    count -= 1
    return handles[count].takeRetainedValue()
  }

  /// Takes over a reference to a handle that is done with, to use it again or to let it go.
  @inline(__always)
  mutating func put(_ handle: Unmanaged<Handle>) {
    guard count < Self.limit, let fresh, References.of(handle) == fresh,
      handle._withUnsafeGuaranteedRef({ $0.isPlain })
    else { return handle.release() }
    if handles == nil { handles = .allocate(capacity: Self.limit) }
    handles![count] = handle
    count += 1
  }
}

/// The word of an object in which the runtime counts the references to it.
private enum References {
  @inline(__always)
  static func of(_ handle: Unmanaged<Handle>) -> UInt { casyncio_reference_counts(handle.toOpaque()) }

  /// What it is for an object with one owner whom nobody else knows; nil if the runtime is not as expected.
  static let ofFresh: UInt? = {
    if casyncio_has_thread_sanitizer() != 0 { return nil }
    let handle = Unmanaged.passRetained(Handle {})
    defer { handle.release() }
    let fresh = of(handle)
    let isStrongSeen = isSeen(in: [handle.takeUnretainedValue()])
    let isUnownedSeen = isSeen(in: [Unowned(handle: handle.takeUnretainedValue())])
    let isAlike = of(handle) == fresh
    let isWeakSeen = isSeen(in: [Weak(handle: handle.takeUnretainedValue())])
    return isStrongSeen && isUnownedSeen && isAlike && isWeakSeen ? fresh : nil

    // Not inlined: the compiler leaves out a reference that it sees nobody use.
    @inline(never)
    func isSeen<Reference>(in references: [Reference]) -> Bool {
      withExtendedLifetime(references) { of(handle) != fresh }
    }
  }()

  private struct Unowned { unowned var handle: Handle }
  private struct Weak { weak var handle: Handle? }
}
