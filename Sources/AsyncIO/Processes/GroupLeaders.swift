/// The children of a loop that lead process groups and whose numbers are kept until their owners release them. If the
/// loop closes first they go with it: it does not wait for one that has ended, so nothing else would end their groups.
///
/// The list is locked, because owners go away in any thread. That is what makes the unchecked conformance right.
final class GroupLeaders: LoopResident, @unchecked Sendable {
  private struct Entry {
    weak var watch: ChildWatch?
  }

  private let entries = Lock<[ObjectIdentifier: Entry]>([:])

  /// Return the leaders of a loop, in its thread.
  static func of(_ core: BaseEventLoop) -> GroupLeaders {
    let key = ObjectIdentifier(GroupLeaders.self)
    if let known = core.residents[key] as? GroupLeaders { return known }
    let leaders = GroupLeaders()
    core.residents[key] = leaders
    return leaders
  }

  var isEmpty: Bool { entries.withLock { $0.isEmpty } }

  func add(_ watch: ChildWatch) {
    entries.withLock { $0[ObjectIdentifier(watch)] = Entry(watch: watch) }
  }

  func remove(_ watch: ChildWatch) {
    entries.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(watch)) }
  }

  override func loopDidClose() {
    let watches = entries.withLock { entries in entries.values.compactMap(\.watch) }
    for watch in watches { watch.kill() }
  }
}
