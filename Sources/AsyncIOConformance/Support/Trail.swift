internal import AsyncIO

/// What happened, mark by mark, in order. Any thread.
public final class Trail: Sendable {
  private let entries = Lock<[String]>([])

  /// A trail without marks.
  public init() {}

  /// Add a mark.
  public func mark(_ mark: any CustomStringConvertible) { entries.withLock { $0.append(mark.description) } }

  /// The marks.
  public var marks: [String] { entries.withLock { $0 } }

  /// How many marks there are.
  public var count: Int { entries.withLock { $0.count } }

  /// The marks with spaces between them; "nothing" if there are none.
  public var text: String {
    let marks = marks
    return marks.isEmpty ? "nothing" : marks.joined(separator: " ")
  }
}

/// An object to capture: a weak reference to it shows when it is gone.
public final class Canary: Sendable {
  /// A new one.
  public init() {}
}

/// A value that callbacks and threads share.
public final class Box<Value: Sendable>: Sendable {
  private let content: Lock<Value>

  /// Create a box that holds a first value.
  public init(_ value: Value) { content = Lock(value) }

  /// What it holds.
  public var value: Value {
    get { content.withLock { $0 } }
    set { content.withLock { $0 = newValue } }
  }

  /// Read and change it in one go.
  public func update<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
    content.withLock { body(&$0) }
  }
}
