/// The stream ended before the requested number of bytes had come. Answers asyncio's `IncompleteReadError`.
public struct IncompleteReadError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The bytes that had come.
  public let partial: [UInt8]
  /// The number of bytes expected; nil if a separator was expected.
  public let expected: Int?

  /// How much came and how much was missing.
  public var description: String {
    let wanted = expected.map { "\($0) bytes" } ?? "a separator"
    return "the stream ended after \(partial.count) bytes, before \(wanted)"
  }
}

/// More bytes came than the limit of a read allows. They are left in place, except for a child's output. Answers
/// asyncio's `LimitOverrunError`.
public struct LimitOverrunError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the read went up to. There may be more goals later.
  public struct Goal: Hashable, Sendable, CustomStringConvertible {
    fileprivate enum Name { case separator, end, output }

    fileprivate let name: Name

    /// Its name.
    public var description: String { "\(name)" }

    /// A separator or the end of a line, which did not come within the limit.
    public static var separator: Goal { Goal(name: .separator) }
    /// The end of the stream; more bytes than the limit came before it.
    public static var end: Goal { Goal(name: .end) }
    /// The end of a child's output, see
    /// ``ChildProcess/run(_:_:input:environment:workingDirectory:standardOutput:standardError:processGroup:limit:)``.
    public static var output: Goal { Goal(name: .output) }
  }

  /// The limit in bytes.
  public let limit: Int
  /// What the read was looking for.
  public let goal: Goal

  /// The limit, and what to do about it.
  public var description: String {
    let remedy = "Raise the limit, or read the bytes another way: they are still there."
    return switch goal.name {
    case .separator: "no separator within \(limit) bytes. \(remedy)"
    case .end: "the stream has more than \(limit) bytes. \(remedy)"
    case .output:
      "the child wrote more than \(limit) bytes and was ended. Raise the limit, or spawn it and read its pipe."
    }
  }
}

/// A source of bytes, one receive at a time. The ways to read that take more than one receive are written once, for all
/// sources; the caller of each holds the reader's claim.
protocol ByteSource: AnyObject, Sendable {
  /// Bytes that have been received and not yet delivered.
  var leftover: ReadBuffer { get set }

  /// Receive into memory that stays valid until the call ends; returns 0 at the end of the stream.
  func receive(_ memory: UnsafeMutableRawPointer, _ count: Int) async throws -> Int
}

extension ByteSource {
  func receiveArray(_ capacity: Int) async throws -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    defer { memory.deallocate() }
    let n = try await receive(memory.baseAddress!, capacity)
    return Array(memory[..<n])
  }

  /// Receive more bytes after those that are there. Returns `false` at the end of the stream.
  func receiveMore() async throws -> Bool {
    let bytes = try await receiveArray(16 * 1024)
    leftover.append(bytes.span.bytes)
    return !bytes.isEmpty
  }

  func readExactlyClaimed(_ count: Int) async throws -> [UInt8] {
    while leftover.count < count {
      guard try await receiveMore() else {
        throw IncompleteReadError(partial: leftover.take(leftover.count), expected: count)
      }
    }
    return leftover.take(count)
  }

  func readUntilClaimed(_ separator: [UInt8], limit: Int) async throws -> [UInt8] {
    var searched = 0
    while true {
      if let end = leftover.end(of: separator, from: searched - separator.count + 1) {
        guard end - separator.count <= limit else { throw LimitOverrunError(limit: limit, goal: .separator) }
        return leftover.take(end)
      }
      searched = leftover.count
      // A difference, because the limit may be the largest number.
      guard searched - separator.count < limit else { throw LimitOverrunError(limit: limit, goal: .separator) }
      guard try await receiveMore() else {
        throw IncompleteReadError(partial: leftover.take(leftover.count), expected: nil)
      }
    }
  }

  func readUntilClaimed(anyOf separators: Separators, limit: Int) async throws -> [UInt8] {
    var searched = 0
    while true {
      if let found = leftover.end(of: separators, behind: searched) {
        guard found.end - found.length <= limit else { throw LimitOverrunError(limit: limit, goal: .separator) }
        return leftover.take(found.end)
      }
      searched = leftover.count
      // Whichever separator comes ends too far away. A difference, because the limit may be the largest number.
      guard searched - separators.longest < limit else { throw LimitOverrunError(limit: limit, goal: .separator) }
      guard try await receiveMore() else {
        throw IncompleteReadError(partial: leftover.take(leftover.count), expected: nil)
      }
    }
  }

  func readLineClaimed(limit: Int) async throws -> String? {
    do {
      let line = try await readUntilClaimed([UInt8(ascii: "\n")], limit: limit).dropLast()
      let isAfterReturn = line.last == UInt8(ascii: "\r")
      return String(decoding: isAfterReturn ? line.dropLast() : line, as: UTF8.self)
    } catch let end as IncompleteReadError {
      // A line without an end: a "\r" in it is an ordinary byte.
      return end.partial.isEmpty ? nil : String(decoding: end.partial, as: UTF8.self)
    }
  }

  func readToEndClaimed(limit: Int) async throws -> [UInt8] {
    repeat {
      // Checked before the first receive too: an earlier read may have left more than the limit.
      guard leftover.count <= limit else { throw LimitOverrunError(limit: limit, goal: .end) }
    } while try await receiveMore()
    return leftover.take(leftover.count)
  }
}

/// Refuses arguments that no read can have, before it waits for anything; a length may have come from a peer.
enum ReadArguments {
  static func check(count: Int, _ operation: String) throws(EventLoopError) {
    guard count < 0 else { return }
    throw EventLoopError(.invalidArgument, "\(operation): the number of bytes is \(count). Give 0 or more.")
  }

  static func check(limit: Int, _ operation: String) throws(EventLoopError) {
    guard limit < 0 else { return }
    throw EventLoopError(.invalidArgument, "\(operation): limit is \(limit). Give 0 or more, or .max for no limit.")
  }

  static func check(separator: [UInt8], limit: Int, _ operation: String) throws(EventLoopError) {
    guard !separator.isEmpty else {
      throw EventLoopError(.invalidArgument, "\(operation): the separator is empty. Give at least one byte.")
    }
    try check(limit: limit, operation)
  }
}
