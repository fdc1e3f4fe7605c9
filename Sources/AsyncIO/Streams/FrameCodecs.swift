/// Frames whose length comes first, in 1, 2, 4 or 8 bytes.
public struct LengthPrefixed: FrameCodec {
  /// How many bytes the length has.
  public enum Width: Sendable {
    /// One byte.
    case uint8
    /// Two bytes.
    case uint16
    /// Four bytes.
    case uint32
    /// Eight bytes.
    case uint64

    fileprivate var byteCount: Int {
      switch self {
      case .uint8: 1
      case .uint16: 2
      case .uint32: 4
      case .uint64: 8
      }
    }
  }

  private let width: Width
  private let isLittleEndian: Bool
  private let countsPrefix: Bool
  private let maximum: Int

  /// - Parameters:
  ///   - width: the bytes of the length itself.
  ///   - littleEndian: true if the least significant byte comes first; otherwise the most significant one does.
  ///   - countsPrefix: true if the length counts its own bytes as well.
  ///   - maximum: the most bytes that a frame may have without its length. A negative one is refused with code
  ///     `invalidArgument` when a frame is read or written.
  public init(
    _ width: Width = .uint32, littleEndian: Bool = false, countsPrefix: Bool = false, maximum: Int = 1024 * 1024
  ) {
    (self.width, isLittleEndian, self.countsPrefix, self.maximum) = (width, littleEndian, countsPrefix, maximum)
  }

  /// Look at the length, and then for as many bytes.
  public mutating func decode(_ bytes: RawSpan) throws -> FrameStep<[UInt8]> {
    try FrameArguments.check(maximum: maximum)
    let width = width.byteCount
    guard bytes.byteCount >= width else { return .more(atLeast: width) }
    var length: UInt64 = 0
    for index in 0..<width {
      let byte = bytes.unsafeLoad(fromByteOffset: isLittleEndian ? width - 1 - index : index, as: UInt8.self)
      length = length << 8 | UInt64(byte)
    }
    if countsPrefix {
      guard length >= width else {
        throw FrameError.malformed("the length of a frame is \(length), less than the \(width) bytes of the length")
      }
      length -= UInt64(width)
    }
    guard length <= UInt64(maximum) else { throw FrameError.tooLong(maximum: maximum) }
    // Too long for any memory, whatever the maximum says.
    guard length <= UInt64(Int.max - width) else { throw FrameError.tooLong(maximum: Int.max - width) }
    let end = width + Int(length)
    guard bytes.byteCount >= end else { return .more(atLeast: end) }
    return .frame(bytes.withUnsafeBytes { Array($0[width..<end]) }, byteCount: end)
  }

  /// Append the length and the bytes. Throws ``FrameError/tooLong(maximum:)`` also for a length that does not fit.
  public func encode(_ frame: [UInt8], into bytes: inout [UInt8]) throws {
    try FrameArguments.check(maximum: maximum)
    let (width, own) = (width.byteCount, countsPrefix ? width.byteCount : 0)
    let greatest = width == 8 ? UInt64.max : (1 << UInt64(8 * width)) - 1
    let most = min(UInt64(maximum), greatest - UInt64(own))
    guard UInt64(frame.count) <= most else { throw FrameError.tooLong(maximum: Int(most)) }
    let length = UInt64(frame.count + own)
    bytes.reserveCapacity(bytes.count + width + frame.count)
    for index in 0..<width {
      let place = isLittleEndian ? index : width - 1 - index
      bytes.append(UInt8(truncatingIfNeeded: length >> UInt64(8 * place)))
    }
    bytes.append(contentsOf: frame)
  }
}

/// Frames that end with a delimiter: lines, or what ends with a NUL.
public struct Delimited: FrameCodec {
  private let delimiter: [UInt8]
  private let keepsDelimiter: Bool
  private let maximum: Int
  /// How many of the bytes at the front have no delimiter in them.
  private var searched = 0

  /// - Parameters:
  ///   - delimiter: at least one byte: `Delimited("\r\n".utf8)`. An empty one is refused with code `invalidArgument`
  ///     when a frame is read or written, as is a negative maximum.
  ///   - keepsDelimiter: true if what is read has its delimiter. What is written gets one in any case.
  ///   - maximum: the most bytes that a frame may have without its delimiter.
  public init(_ delimiter: some Sequence<UInt8>, keepsDelimiter: Bool = false, maximum: Int = 64 * 1024) {
    (self.delimiter, self.keepsDelimiter, self.maximum) = (Array(delimiter), keepsDelimiter, maximum)
  }

  /// Look for the delimiter, at each byte once.
  public mutating func decode(_ bytes: RawSpan) throws -> FrameStep<[UInt8]> {
    try check()
    let start = max(0, min(searched, bytes.byteCount) - delimiter.count + 1)
    let found = bytes.withUnsafeBytes { first(in: $0, from: start) }
    guard let found else {
      searched = bytes.byteCount
      // The delimiter may have begun.
      guard bytes.byteCount - (delimiter.count - 1) <= maximum else { throw FrameError.tooLong(maximum: maximum) }
      return .more(atLeast: bytes.byteCount + 1)
    }
    guard found <= maximum else { throw FrameError.tooLong(maximum: maximum) }
    searched = 0
    let end = found + delimiter.count
    return .frame(bytes.withUnsafeBytes { Array($0[..<(keepsDelimiter ? end : found)]) }, byteCount: end)
  }

  /// Append the bytes and a delimiter. Throws code `invalidArgument` if the reader would see a delimiter before.
  public func encode(_ frame: [UInt8], into bytes: inout [UInt8]) throws {
    try check()
    guard frame.count <= maximum else { throw FrameError.tooLong(maximum: maximum) }
    let whole = frame + delimiter
    guard whole.withUnsafeBytes({ first(in: $0, from: 0) }) == frame.count else {
      throw EventLoopError(
        .invalidArgument, "write: the delimiter is inside of the frame. Leave it out of what is written.")
    }
    bytes.append(contentsOf: whole)
  }

  private func check() throws {
    try FrameArguments.check(maximum: maximum)
    guard delimiter.isEmpty else { return }
    throw EventLoopError(.invalidArgument, "Delimited: the delimiter is empty. Give at least one byte.")
  }

  /// Return where the first delimiter begins.
  private func first(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var index = start
    while index <= bytes.count - delimiter.count {
      if bytes[index] == delimiter[0], bytes[index..<index + delimiter.count].elementsEqual(delimiter) { return index }
      index += 1
    }
    return nil
  }
}

/// Frames that all have the same number of bytes.
public struct FixedSize: FrameCodec {
  private let count: Int

  /// - Parameter count: the bytes of each frame. Less than one is refused with code `invalidArgument` when a frame is
  ///   read or written.
  public init(_ count: Int) { self.count = count }

  /// Look for as many bytes.
  public mutating func decode(_ bytes: RawSpan) throws -> FrameStep<[UInt8]> {
    try check()
    guard bytes.byteCount >= count else { return .more(atLeast: count) }
    return .frame(bytes.withUnsafeBytes { Array($0[..<count]) }, byteCount: count)
  }

  /// Append the bytes. Throws code `invalidArgument` for another number of them.
  public func encode(_ frame: [UInt8], into bytes: inout [UInt8]) throws {
    try check()
    guard frame.count == count else {
      throw EventLoopError(.invalidArgument, "write: the frame has \(frame.count) bytes. Give \(count).")
    }
    bytes.append(contentsOf: frame)
  }

  private func check() throws {
    guard count < 1 else { return }
    throw EventLoopError(.invalidArgument, "FixedSize: the number of bytes is \(count). Give at least 1.")
  }
}

private enum FrameArguments {
  static func check(maximum: Int) throws {
    guard maximum < 0 else { return }
    throw EventLoopError(.invalidArgument, "frames: maximum is \(maximum). Give 0 or more, or .max for no limit.")
  }
}
