internal import Synchronization

/// How many of each counted thing are alive in the process. Tests compare them before and after; nothing else reads
/// them. They are off the path of a message: a descriptor, an operation of a task or a thread is counted when it is
/// made and when it is gone.
package enum LiveCounters {
  static let descriptors = Atomic<Int>(0)
  static let loops = Atomic<Int>(0)
  static let sleepers = Atomic<Int>(0)
  static let poolThreads = Atomic<Int>(0)
  static let servedConnections = Atomic<Int>(0)
  static let proactorStreams = Atomic<Int>(0)
  static let childWatches = Atomic<Int>(0)
  static let tlsLinks = Atomic<Int>(0)

  /// A snapshot by name.
  package static var snapshot: [String: Int] {
    [
      "descriptors": descriptors.load(ordering: .sequentiallyConsistent),
      "loops": loops.load(ordering: .sequentiallyConsistent),
      "sleepers": sleepers.load(ordering: .sequentiallyConsistent),
      "pool threads": poolThreads.load(ordering: .sequentiallyConsistent),
      "served connections": servedConnections.load(ordering: .sequentiallyConsistent),
      "proactor streams": proactorStreams.load(ordering: .sequentiallyConsistent),
      "child watches": childWatches.load(ordering: .sequentiallyConsistent),
      "TLS links": tlsLinks.load(ordering: .sequentiallyConsistent),
    ]
  }
}
