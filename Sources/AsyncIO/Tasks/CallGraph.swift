// Which task waits for which. A task that awaits a future is stored, with the place in its code, beside the
// continuation that the future keeps anyway; so the edges cost nothing until they are asked for, and are never wrong.
//
// Swift keeps no frames of a suspended task that could be read, so an entry has the place of the wait and, in debug
// mode, the place where the future was made, instead of a stack.
//
// A chain of waits may be as long as the program's data, and two tasks that wait for one and are awaited by one double
// the number of paths. So nothing here recurses, and a task is kept once, in a list; the entries of a graph are views
// of the list.

/// A future, or a task, and the tasks that wait for it. Answers asyncio's `FutureCallGraph`.
public struct FutureCallGraph: Sendable, CustomStringConvertible {
  fileprivate let graph: CapturedGraph
  fileprivate let node: Int
  fileprivate let level: Int
  /// Where this task waits for the entry above it; nil for the first entry.
  public let waitsAt: CallSite?
  /// True for a task that is already further up: the tasks wait for each other, and will for ever.
  public let isCycle: Bool

  /// The name of the task, or "a future".
  public var name: String { graph.nodes[node].name }
  /// Where it was made; in debug mode only.
  public var madeAt: CallSite? { graph.nodes[node].madeAt }
  /// The tasks that wait for it, in the order in which they came.
  public var awaitedBy: [FutureCallGraph] {
    isCycle || level >= graph.limit ? [] : graph.nodes[node].edges.map { graph.look(at: $0, level: level + 1) }
  }

  /// The entries as lines, as ``formatCallGraph(_:limit:)`` writes them.
  public var description: String {
    var lines: [String] = []
    var shown: Set<Int> = []
    var left = [self]
    while let entry = left.popLast() {
      let waiting = entry.awaitedBy
      let isRepeated = !waiting.isEmpty && !shown.insert(entry.node).inserted
      let indentation = String(repeating: " ", count: 4 * min(entry.level, Self.deepest))
      lines.append(indentation + entry.line + (isRepeated ? ", shown above" : ""))
      guard !waiting.isEmpty, !isRepeated else { continue }
      lines.append("\(indentation)  + awaited by:")
      left += waiting.reversed()
    }
    return lines.joined(separator: "\n")
  }

  /// The level from which on the lines are not indented any further, but numbered.
  private static var deepest: Int { 32 }

  private var line: String {
    var line = "* \(name)"
    if level > Self.deepest { line = "* (level \(level)) \(name)" }
    if let waitsAt { line += ", waits at \(waitsAt)" }
    if let madeAt { line += ", made at \(madeAt)" }
    if isCycle { line += ", which stands above: a cycle" }
    return line
  }
}

/// Return which tasks wait for the future now, which wait for those, and so on. Waits by ``Future/get(fileID:line:)``,
/// `gather`, `wait`, `shield` and groups of tasks are seen, those of child tasks and plain tasks are not. Any thread.
/// Answers `capture_call_graph()`.
///
/// - Parameters:
///   - future: a future or a task.
///   - limit: the largest number of levels of waiting tasks; nil for all.
public func captureCallGraph<Value: Sendable>(_ future: Future<Value>, limit: Int? = nil) -> FutureCallGraph {
  CapturedGraph(of: future, limit: limit ?? .max).root
}

/// Do the same for the current task; nil where ``currentTask()`` is nil.
public func captureCallGraph(limit: Int? = nil) -> FutureCallGraph? {
  LoopTaskRegistry.shared.current.map { CapturedGraph(of: $0, limit: limit ?? .max).root }
}

/// Return ``captureCallGraph(_:limit:)`` as text, one entry per line. Answers `format_call_graph()`.
public func formatCallGraph<Value: Sendable>(_ future: Future<Value>, limit: Int? = nil) -> String {
  captureCallGraph(future, limit: limit).description
}

/// Which tasks wait for which, at one moment: each future once.
private final class CapturedGraph: Sendable {
  struct Edge: Sendable {
    var node: Int
    var waitsAt: CallSite
    /// True if it leads back to a node on the path to it.
    var isCycle = false
  }

  struct Node: Sendable {
    var name: String
    var madeAt: CallSite?
    var edges: [Edge] = []

    init(_ future: any Awaitable) { (name, madeAt) = (future.describeForGraph(), future.madeAt) }
  }

  let nodes: [Node]
  /// The largest number of levels of waiting tasks.
  let limit: Int

  init(of future: any Awaitable, limit: Int) {
    self.limit = limit
    var nodes = [Node(future)]
    // Held until the end, because an address identifies an object only as long as it lives.
    var futures: [(any Awaitable, level: Int)] = [(future, 0)]
    var places = [ObjectIdentifier(future): 0]
    var next = 0
    // Level by level, so that a task is found on the shortest path to it, which is what the limit counts.
    while next < futures.count {
      let (future, level) = futures[next]
      for awaiter in level < limit ? future.awaiters : [] {
        let id = ObjectIdentifier(awaiter.task)
        let place = places[id] ?? nodes.count
        if place == nodes.count {
          places[id] = place
          nodes.append(Node(awaiter.task))
          futures.append((awaiter.task, level + 1))
        }
        nodes[next].edges.append(Edge(node: place, waitsAt: awaiter.site))
      }
      next += 1
    }
    Self.markCycles(&nodes)
    self.nodes = nodes
  }

  /// Follow all paths once, depth first: an edge to a node on the current path closes a cycle.
  private static func markCycles(_ nodes: inout [Node]) {
    var isOnWay = [Bool](repeating: false, count: nodes.count)
    var isSeen = isOnWay
    var way: [(node: Int, edge: Int)] = [(0, 0)]
    (isOnWay[0], isSeen[0]) = (true, true)
    while let (node, edge) = way.last {
      guard edge < nodes[node].edges.count else {
        isOnWay[node] = false
        way.removeLast()
        continue
      }
      way[way.count - 1].edge += 1
      let target = nodes[node].edges[edge].node
      if isOnWay[target] {
        nodes[node].edges[edge].isCycle = true
      } else if !isSeen[target] {
        (isOnWay[target], isSeen[target]) = (true, true)
        way.append((target, 0))
      }
    }
  }

  var root: FutureCallGraph { FutureCallGraph(graph: self, node: 0, level: 0, waitsAt: nil, isCycle: false) }

  func look(at edge: Edge, level: Int) -> FutureCallGraph {
    FutureCallGraph(graph: self, node: edge.node, level: level, waitsAt: edge.waitsAt, isCycle: edge.isCycle)
  }
}
