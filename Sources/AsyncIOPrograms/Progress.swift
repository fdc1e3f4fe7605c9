internal import AsyncIO
internal import CAsyncIO

/// How far a long command is: a growing bar on a terminal, a line now and then elsewhere. It goes to standard error, so
/// that what the command prints can be used. Any thread.
package final class Progress: Sendable {
  private let state: Lock<ProgressState>

  /// - Parameters:
  ///   - name: stands before the bar.
  ///   - total: the number of steps.
  ///   - unit: what is counted: "seeds".
  package init(_ name: String, total: Int, unit: String) {
    let isTerminal = isatty(STDERR_FILENO) == 1
    state = Lock(ProgressState(name, total: total, unit: unit, isTerminal: isTerminal, now: MonotonicTime.now))
  }

  /// Show that this many are done.
  ///
  /// - Parameter note: more words, on a line of their own if it is one.
  package func show(_ done: Int, _ note: String = "") {
    write(state.withLock { $0.show(done, note, now: MonotonicTime.now) })
  }

  /// Take the bar away.
  package func end() { write(state.withLock { $0.end() }) }

  private func write(_ text: String?) {
    guard var text else { return }
    text.withUTF8 { bytes in _ = CAsyncIO.write(STDERR_FILENO, bytes.baseAddress, numericCast(bytes.count)) }
  }
}

/// What is to be written when.
package struct ProgressState: Sendable {
  private let name: String
  private let total: Int
  private let unit: String
  private let isTerminal: Bool
  private let began: Int64
  private var last: Int64
  private var shown = -1
  private var isDrawn = false

  private static var width: Int { 40 }
  /// A terminal is slower than most work, and no eye sees more.
  private static var terminalPause: Int64 { 50_000_000 }
  /// Of lines in a file or a pipe, which somebody may have to read.
  private static var linePause: Int64 { 5_000_000_000 }

  package init(_ name: String, total: Int, unit: String, isTerminal: Bool, now: Int64) {
    (self.name, self.total, self.unit, self.isTerminal) = (name, max(1, total), unit, isTerminal)
    (began, last) = (now, now)
  }

  /// Return what to write when this many are done; nil for nothing.
  package mutating func show(_ done: Int, _ note: String, now: Int64) -> String? {
    let done = min(max(0, done), total)
    guard done > shown else { return nil }
    guard !isDrawn && isTerminal || now - last >= (isTerminal ? Self.terminalPause : Self.linePause) else { return nil }
    (shown, last, isDrawn) = (done, now, true)
    let more = note.isEmpty ? "" : ", \(note)"
    guard isTerminal else { return "\(name): \(done) of \(total) \(unit), \((now - began) / 1_000_000_000) s\(more)\n" }
    // In floating point: the numbers may be too large for a product.
    let share = Int(Double(Self.width) * (Double(done) / Double(total)))
    let bar = String(repeating: "#", count: share) + String(repeating: ".", count: Self.width - share)
    return "\r\(name) [\(bar)] \(done) of \(total) \(unit)\(more)\u{1B}[K"
  }

  /// Return what takes the bar away; nil if none is there.
  package mutating func end() -> String? {
    defer { isDrawn = false }
    return isTerminal && isDrawn ? "\r\u{1B}[K" : nil
  }
}
