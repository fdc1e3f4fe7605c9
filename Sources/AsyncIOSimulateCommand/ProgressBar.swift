import CAsyncIO
import Synchronization

/// A growing line on a terminal. Elsewhere it is silent. Any thread.
final class ProgressBar: Sendable {
  private let name: String
  private let total: Int
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let shown = Mutex(-1)

  init(_ name: String, _ total: Int) { (self.name, self.total) = (name, max(1, total)) }

  /// Show that this many are done.
  func show(_ done: Int) {
    guard isTerminal else { return }
    let share = min(40, done * 40 / total)
    // Forty steps, whatever the number of seeds: a terminal is slower than a simulation.
    let isNew = shown.withLock { shown in
      defer { shown = max(shown, share) }
      return share > shown
    }
    guard isNew else { return }
    let bar = String(repeating: "#", count: share) + String(repeating: ".", count: 40 - share)
    put("\r\(name) [\(bar)] \(done) of \(total)")
  }

  func clear() {
    guard isTerminal else { return }
    put("\r\u{1B}[K")
  }

  private func put(_ text: String) {
    var text = text
    text.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}
