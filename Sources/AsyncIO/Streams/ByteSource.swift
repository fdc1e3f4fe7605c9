/// A source of bytes, one receive at a time. The ways to read that may take more than one receive are written once, for
/// all sources, in two layers: the arguments, the claim and the checkpoint, and what the holder of the claim does. The
/// ways that take one receive are each source's own: what they need would be in the frames of tasks that wait.
protocol ByteSource: AnyObject, Sendable {
  /// Bytes that have been received and not yet delivered.
  var leftover: ReadBuffer { get set }

  /// Claim the reader, for one task at a time; throws if the source is closed.
  func claimReading() throws
  func releaseReading()

  /// Receive into memory that stays valid until the call ends; returns 0 at the end of the stream.
  func receive(_ memory: UnsafeMutableRawPointer, _ count: Int) async throws -> Int
}

// Inlined, so that the public methods, which say what these do, cost nothing of their own.
extension ByteSource {
  @inline(__always)
  func readAll(_ count: Int) async throws -> [UInt8] {
    try ReadArguments.check(count: count, "read")
    try claimReading()
    defer { releaseReading() }
    if count <= leftover.count { try await checkpoint() }
    return try await readExactlyClaimed(count)
  }

  @inline(__always)
  func readUpTo(_ separator: [UInt8], limit: Int) async throws -> [UInt8] {
    try ReadArguments.check(separator: separator, limit: limit, "read")
    try claimReading()
    defer { releaseReading() }
    if !leftover.isEmpty { try await checkpoint() }
    return try await readUntilClaimed(separator, limit: limit)
  }

  @inline(__always)
  func readUpTo(anyOf separators: [[UInt8]], limit: Int) async throws -> [UInt8] {
    let separators = try Separators(separators, "read")
    try ReadArguments.check(limit: limit, "read")
    try claimReading()
    defer { releaseReading() }
    if !leftover.isEmpty { try await checkpoint() }
    return try await readUntilClaimed(anyOf: separators, limit: limit)
  }

  @inline(__always)
  func readOneLine(limit: Int) async throws -> String? {
    try ReadArguments.check(limit: limit, "readLine")
    try claimReading()
    defer { releaseReading() }
    if !leftover.isEmpty { try await checkpoint() }
    return try await readLineClaimed(limit: limit)
  }

  @inline(__always)
  func readRest(limit: Int) async throws -> [UInt8] {
    try ReadArguments.check(limit: limit, "readToEnd")
    try claimReading()
    defer { releaseReading() }
    if !leftover.isEmpty { try await checkpoint() }
    return try await readToEndClaimed(limit: limit)
  }
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
