/// Asked before a turn runs what is queued, and told when it has. A simulation orders jobs by its seed, checks its
/// invariants, and notices a program that turns and turns while its clock stands.
///
/// In the loop's thread.
package protocol TurnObserver: AnyObject {
  /// - Parameter entries: the number of jobs and callbacks that will run in this turn.
  /// - Returns: the seed of an order for the jobs; nil for the order in which they came.
  func turnWillRun(entries: Int) -> UInt64?
  func turnDidRun()
}
