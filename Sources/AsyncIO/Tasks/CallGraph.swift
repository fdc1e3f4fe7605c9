// Who waits for whom. A task that awaits a future stands, with the place in its code, beside the continuation that the
// future keeps anyway; so the edges cost nothing while nobody asks, and are never wrong.
//
// Swift keeps no frames of a suspended task that could be read, so an entry has the place of the wait and, in debug
// mode, the place where the future was made, and not a stack.

/// A future, or a task, and the tasks that wait for it. Answers asyncio's `FutureCallGraph`.
public struct FutureCallGraph: Sendable, CustomStringConvertible {
  /// What it is: the name of a task, "a future".
  public let name: String
  /// Where it was made; in debug mode only.
  public let madeAt: CallSite?
  /// Where this task waits for the entry above it; nil for the first entry.
  public let waitsAt: CallSite?
  /// The tasks that wait for it, in the order in which they came.
  public let awaitedBy: [FutureCallGraph]
  /// True for a task that stands further up already: the tasks wait for each other, and will for ever.
  public let isCycle: Bool

  /// The entries as lines, as ``formatCallGraph(_:limit:)`` writes them.
  public var description: String {
    var lines: [String] = []
    write(to: &lines, indentation: "")
    return lines.joined(separator: "\n")
  }

  private func write(to lines: inout [String], indentation: String) {
    var line = "\(indentation)* \(name)"
    if let waitsAt { line += ", waits at \(waitsAt)" }
    if let madeAt { line += ", made at \(madeAt)" }
    if isCycle { line += ", which stands above: a cycle" }
    lines.append(line)
    guard !awaitedBy.isEmpty else { return }
    lines.append("\(indentation)  + awaited by:")
    for waiting in awaitedBy { waiting.write(to: &lines, indentation: indentation + "    ") }
  }
}

/// Who waits for the future now, who waits for those, and so on. Waits by ``Future/get(fileID:line:)``, `gather`,
/// `wait`, `shield` and groups of tasks are seen, those of child tasks and plain tasks are not. Any thread. Answers
/// `capture_call_graph()`.
///
/// - Parameters:
///   - future: a future or a task.
///   - limit: how many levels of waiting tasks at most; nil for all.
public func captureCallGraph<Value: Sendable>(_ future: Future<Value>, limit: Int? = nil) -> FutureCallGraph {
  graph(of: future, waitsAt: nil, above: [], limit: limit ?? .max)
}

/// The same for the current task; nil where ``currentTask()`` is nil.
public func captureCallGraph(limit: Int? = nil) -> FutureCallGraph? {
  LoopTaskRegistry.shared.current.map { graph(of: $0, waitsAt: nil, above: [], limit: limit ?? .max) }
}

/// ``captureCallGraph(_:limit:)`` as text, an entry on a line. Answers `format_call_graph()`.
public func formatCallGraph<Value: Sendable>(_ future: Future<Value>, limit: Int? = nil) -> String {
  captureCallGraph(future, limit: limit).description
}

private func graph(
  of node: any Awaitable, waitsAt: CallSite?, above: Set<ObjectIdentifier>, limit: Int
) -> FutureCallGraph {
  let id = ObjectIdentifier(node)
  let isCycle = above.contains(id)
  let awaiters = isCycle || limit <= 0 ? [] : node.awaiters
  return FutureCallGraph(
    name: node.describeForGraph(), madeAt: node.madeAt, waitsAt: waitsAt,
    awaitedBy: awaiters.map {
      graph(of: $0.task, waitsAt: $0.site, above: above.union([id]), limit: limit - 1)
    }, isCycle: isCycle)
}
