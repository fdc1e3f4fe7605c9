/// Something that lives on a loop and has to end when the loop is closed: it may hold what holds it, and a closed loop
/// calls nobody who could let go. Subclasses are in rooms above.
///
/// Right as unchecked because a loop's residents are for its thread, or for the one that closes it.
class LoopResident: @unchecked Sendable {
  /// The loop is closed for good; descriptors can be closed still.
  func loopDidClose() {}
}
