/// An object that lives on a loop and has to end when the loop is closed: it may hold what holds it, and a closed loop
/// makes no call that could release it. Subclasses are in the rooms above.
///
/// Right as unchecked because a loop's residents are for its thread, or for the thread that closes it.
class LoopResident: @unchecked Sendable {
  /// End with the loop, which is closed for good; descriptors can still be closed.
  func loopDidClose() {}
}
