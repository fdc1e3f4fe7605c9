/// The stream ended before as many bytes came as were asked for. Answers asyncio's `IncompleteReadError`.
public struct IncompleteReadError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What had come.
  public let partial: [UInt8]
  /// How many were expected; nil if a separator was.
  public let expected: Int?

  /// How much was there and how much was missing.
  public var description: String {
    let wanted = expected.map { "\($0) bytes" } ?? "a separator"
    return "the stream ended after \(partial.count) bytes, before \(wanted)"
  }
}

/// The separator did not come within the limit; the bytes are left in place. Answers asyncio's `LimitOverrunError`.
public struct LimitOverrunError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The limit in bytes.
  public let limit: Int

  /// The limit, and what to do about it.
  public var description: String {
    "no separator within \(limit) bytes. Raise the limit, or read the bytes another way: they are still there."
  }
}

/// What bytes come from, one receive at a time. The ways to read that take more than one receive are written once, for
/// all sources; the caller of each holds the reader's claim.
protocol ByteSource: AnyObject, Sendable {
  /// Bytes that were received and not delivered yet.
  var leftover: ReadBuffer { get set }

  /// Receives into memory that stays valid until the call ends; 0 at the end of the stream.
  func receive(_ memory: UnsafeMutableRawPointer, _ count: Int) async throws -> Int
}

extension ByteSource {
  func receiveArray(_ capacity: Int) async throws -> [UInt8] {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    defer { memory.deallocate() }
    let n = try await receive(memory.baseAddress!, capacity)
    return Array(memory[..<n])
  }

  /// Receives more bytes behind those that are there; `false` at the end of the stream.
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
    precondition(!separator.isEmpty, "readUntil: the separator is empty")
    var searched = 0
    while true {
      if let end = leftover.end(of: separator, from: searched - separator.count + 1) {
        guard end - separator.count <= limit else { throw LimitOverrunError(limit: limit) }
        return leftover.take(end)
      }
      searched = leftover.count
      guard searched < limit + separator.count else { throw LimitOverrunError(limit: limit) }
      guard try await receiveMore() else {
        throw IncompleteReadError(partial: leftover.take(leftover.count), expected: nil)
      }
    }
  }

  func readLineClaimed(limit: Int) async throws -> String? {
    var line: ArraySlice<UInt8>
    do {
      line = try await readUntilClaimed([UInt8(ascii: "\n")], limit: limit).dropLast()
    } catch let end as IncompleteReadError {
      if end.partial.isEmpty { return nil }
      line = end.partial[...]
    }
    if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
    return String(decoding: line, as: UTF8.self)
  }

  func readToEndClaimed(limit: Int) async throws -> [UInt8] {
    while try await receiveMore() {
      guard leftover.count <= limit else { throw LimitOverrunError(limit: limit) }
    }
    return leftover.take(leftover.count)
  }
}
