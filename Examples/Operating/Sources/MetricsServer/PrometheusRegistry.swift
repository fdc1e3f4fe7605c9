import Metrics
import Synchronization

/// Keeps what a program measures, and writes it down in Prometheus' text format. Any thread.
///
/// It does what a small service needs: counters, gauges, and of timers the sum and the count, in seconds. For
/// histograms there are packages.
final class PrometheusRegistry: MetricsFactory {
  enum Kind: String {
    case counter, gauge, summary
  }

  /// What stands for one line, or for the two lines of a timer.
  final class Cell: CounterHandler, RecorderHandler, TimerHandler {
    private struct State {
      var value = 0.0
      var count = 0
    }

    private let kind: Kind
    private let state = Mutex(State())

    init(_ kind: Kind) { self.kind = kind }

    func increment(by amount: Int64) { state.withLock { $0.value += Double(amount) } }
    func reset() { state.withLock { $0 = State() } }
    func record(_ value: Int64) { record(Double(value)) }
    func record(_ value: Double) { state.withLock { $0.value = value } }

    func recordNanoseconds(_ duration: Int64) {
      state.withLock { state in
        state.value += Double(duration) / 1e9
        state.count += 1
      }
    }

    func lines(_ label: String, _ dimensions: String) -> [String] {
      let (value, count) = state.withLock { ($0.value, $0.count) }
      guard kind == .summary else { return ["\(label)\(dimensions) \(text(of: value))"] }
      return ["\(label)_sum\(dimensions) \(text(of: value))", "\(label)_count\(dimensions) \(count)"]
    }

    private func text(of value: Double) -> String { Int64(exactly: value).map(String.init) ?? "\(value)" }
  }

  private struct Family {
    let kind: Kind
    var cells: [String: Cell] = [:]
  }

  private let families = Mutex<[String: Family]>([:])

  /// All of it, as `GET /metrics` answers.
  var text: String {
    let families = families.withLock { $0 }
    var lines: [String] = []
    for (label, family) in families.sorted(by: { $0.key < $1.key }) {
      lines.append("# TYPE \(label) \(family.kind.rawValue)")
      for (dimensions, cell) in family.cells.sorted(by: { $0.key < $1.key }) { lines += cell.lines(label, dimensions) }
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private func cell(_ kind: Kind, _ label: String, _ dimensions: [(String, String)]) -> Cell {
    let dimensions = Self.text(of: dimensions)
    return families.withLock { families in
      if let known = families[label]?.cells[dimensions] { return known }
      let cell = Cell(kind)
      families[label, default: Family(kind: kind)].cells[dimensions] = cell
      return cell
    }
  }

  private static func text(of dimensions: [(String, String)]) -> String {
    if dimensions.isEmpty { return "" }
    return "{" + dimensions.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",") + "}"
  }

  private static func escaped(_ value: String) -> String {
    value.reduce(into: "") { text, character in
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
  }

  // MARK: What swift-metrics asks for

  func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    cell(.counter, label, dimensions)
  }

  func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    cell(.gauge, label, dimensions)
  }

  func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    cell(.summary, label, dimensions)
  }

  func destroyCounter(_ handler: any CounterHandler) { forget(handler) }
  func destroyRecorder(_ handler: any RecorderHandler) { forget(handler) }
  func destroyTimer(_ handler: any TimerHandler) { forget(handler) }

  private func forget(_ handler: AnyObject) {
    families.withLock { families in
      for (label, family) in families {
        let left = family.cells.filter { $0.value !== handler }
        families[label] = left.isEmpty ? nil : Family(kind: family.kind, cells: left)
      }
    }
  }
}
